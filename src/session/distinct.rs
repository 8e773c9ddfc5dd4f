//! `a IS DISTINCT FROM b AND c`, as SQL reads it.
//!
//! # Design
//! The parser (sqlparser 0.62) takes all that follows FROM for the right side: `a IS DISTINCT FROM (b AND c)`. What somebody has put in
//! brackets is marked as such, so the operators can be taken apart along the right edge of the tree, where nothing else stands, and put
//! together again by their ranks.

use std::iter::Peekable;
use std::vec::IntoIter;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value};

use crate::error::{Error, ErrorKind, Result};

/// An operator that binds as weakly as IS DISTINCT FROM or more so, or what stands between two.
enum Token {
    Term(Box<Expr>),
    Not,
    And,
    Or,
    Distinct,
    NotDistinct,
}

impl Token {
    /// How strongly an operator between two terms binds.
    fn rank(&self) -> Option<u8> {
        match self {
            Self::Or => Some(1),
            Self::And => Some(2),
            Self::Distinct | Self::NotDistinct => Some(COMPARISON),
            Self::Term(_) | Self::Not => None,
        }
    }
}

/// NOT binds more strongly than AND, and more weakly than a comparison.
const NEGATION: u8 = 3;
const COMPARISON: u8 = 4;

/// Turns an expression whose comparison has taken in what follows it.
///
/// # Errors
/// SQL has no reading for it: `a IS DISTINCT FROM b IS NULL`.
pub(super) fn turn(expression: &mut Expr) -> Result<()> {
    match expression {
        Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) if is_comparison(right) => return Err(unclear()),
        Expr::BinaryOp { op, right, .. }
            if !matches!(op, BinaryOperator::And | BinaryOperator::Or)
                && matches!(right.as_ref(), Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..)) =>
        {
            // The parser lets `@>` and its like bind more weakly than IS, which SQL does not.
            return Err(unclear());
        }
        _ => {}
    }
    if !is_too_long(expression) {
        return Ok(());
    }
    let whole = std::mem::replace(expression, Expr::value(Value::Null));
    *expression = read(&mut take_apart(whole).into_iter().peekable(), 0)?;
    Ok(())
}

fn unclear() -> Error {
    Error::new(ErrorKind::Statement, "it is not clear what IS DISTINCT FROM compares here")
        .hint("put one of the two in brackets: (a IS DISTINCT FROM b) IS …")
}

fn is_comparison(expression: &Expr) -> bool {
    matches!(
        expression,
        Expr::IsDistinctFrom(..)
            | Expr::IsNotDistinctFrom(..)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotUnknown(_)
    )
}

/// Whether AND or OR stands in the right side of a comparison.
fn is_too_long(expression: &Expr) -> bool {
    let (mut rest, mut compared) = (expression, false);
    loop {
        rest = match rest {
            Expr::BinaryOp {
                op: BinaryOperator::And | BinaryOperator::Or,
                ..
            } if compared => return true,
            Expr::BinaryOp {
                op: BinaryOperator::And | BinaryOperator::Or,
                right,
                ..
            } => right,
            Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr,
            } => expr,
            Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) => {
                compared = true;
                right
            }
            _ => return false,
        };
    }
}

/// The operators and terms of an expression in the order in which they were written, without recursion: whatever the parser has made of
/// them, only brackets of the statement hold together.
fn take_apart(expression: Expr) -> Vec<Token> {
    enum Part {
        Expr(Box<Expr>),
        Token(Token),
    }
    let (mut tokens, mut parts) = (Vec::new(), vec![Part::Expr(Box::new(expression))]);
    while let Some(part) = parts.pop() {
        let expression = match part {
            Part::Token(token) => {
                tokens.push(token);
                continue;
            }
            Part::Expr(expression) => expression,
        };
        let (left, token, right) = match *expression {
            Expr::BinaryOp {
                left,
                op: BinaryOperator::And,
                right,
            } => (left, Token::And, right),
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Or,
                right,
            } => (left, Token::Or, right),
            Expr::IsDistinctFrom(left, right) => (left, Token::Distinct, right),
            Expr::IsNotDistinctFrom(left, right) => (left, Token::NotDistinct, right),
            Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr,
            } => {
                tokens.push(Token::Not);
                parts.push(Part::Expr(expr));
                continue;
            }
            term => {
                tokens.push(Token::Term(Box::new(term)));
                continue;
            }
        };
        parts.extend([Part::Expr(right), Part::Token(token), Part::Expr(left)]);
    }
    tokens
}

/// Reads an expression of operators that bind at least this strongly.
fn read(tokens: &mut Peekable<IntoIter<Token>>, least: u8) -> Result<Expr> {
    let mut left = match tokens.next() {
        Some(Token::Term(term)) => *term,
        Some(Token::Not) => Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: Box::new(read(tokens, NEGATION)?),
        },
        _ => return Err(unclear()),
    };
    while let Some(token) = tokens.next_if(|token| token.rank().is_some_and(|rank| rank >= least)) {
        let rank = token.rank().unwrap_or_default();
        let right = read(tokens, rank + 1)?;
        let (one, other) = (Box::new(left), Box::new(right));
        left = match token {
            Token::And | Token::Or => Expr::BinaryOp {
                left: one,
                op: if matches!(token, Token::And) {
                    BinaryOperator::And
                } else {
                    BinaryOperator::Or
                },
                right: other,
            },
            _ if is_comparison(&other) || tokens.peek().and_then(Token::rank) == Some(COMPARISON) => return Err(unclear()),
            // The brackets keep the tree as it is when it is printed and read again.
            Token::Distinct => Expr::Nested(Box::new(Expr::IsDistinctFrom(one, other))),
            _ => Expr::Nested(Box::new(Expr::IsNotDistinctFrom(one, other))),
        };
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn turned(sql: &str) -> Result<String> {
        let mut expression = Parser::new(&GenericDialect {})
            .try_with_sql(sql)
            .unwrap()
            .parse_expr()
            .unwrap();
        turn(&mut expression).map(|()| expression.to_string())
    }

    #[test]
    fn what_follows_a_comparison_is_not_its_right_side() {
        for (sql, reads) in [
            ("a IS DISTINCT FROM b", "a IS DISTINCT FROM b"),
            ("a IS DISTINCT FROM b AND c", "(a IS DISTINCT FROM b) AND c"),
            ("a IS NOT DISTINCT FROM b OR c", "(a IS NOT DISTINCT FROM b) OR c"),
            ("a IS DISTINCT FROM (b AND c)", "a IS DISTINCT FROM (b AND c)"),
            ("a IS DISTINCT FROM b = c AND d", "(a IS DISTINCT FROM b = c) AND d"),
            ("a = b IS DISTINCT FROM c AND d", "(a = b IS DISTINCT FROM c) AND d"),
            (
                "a IS DISTINCT FROM b BETWEEN 1 AND 2 AND c",
                "(a IS DISTINCT FROM b BETWEEN 1 AND 2) AND c",
            ),
            ("a IS DISTINCT FROM b IN (1, 2) OR c", "(a IS DISTINCT FROM b IN (1, 2)) OR c"),
            ("a IS DISTINCT FROM NOT b AND c", "(a IS DISTINCT FROM NOT b) AND c"),
            ("NOT a IS DISTINCT FROM b AND c", "NOT (a IS DISTINCT FROM b) AND c"),
        ] {
            assert_eq!(turned(sql).unwrap(), reads);
        }
    }

    /// Printing leaves out which of AND and OR came first: the trees are compared.
    #[test]
    fn operators_around_a_comparison_keep_their_ranks() {
        for (sql, brackets) in [
            ("x AND a IS DISTINCT FROM b OR c", "(x AND (a IS DISTINCT FROM b)) OR c"),
            ("x OR a IS DISTINCT FROM b AND c", "x OR ((a IS DISTINCT FROM b) AND c)"),
            (
                "x OR y AND a IS DISTINCT FROM b OR c AND d",
                "(x OR (y AND (a IS DISTINCT FROM b))) OR (c AND d)",
            ),
            (
                "NOT a IS DISTINCT FROM b OR NOT c AND d",
                "(NOT (a IS DISTINCT FROM b)) OR ((NOT c) AND d)",
            ),
            (
                "a IS DISTINCT FROM b AND c IS NOT DISTINCT FROM d OR e IS DISTINCT FROM f",
                "((a IS DISTINCT FROM b) AND (c IS NOT DISTINCT FROM d)) OR (e IS DISTINCT FROM f)",
            ),
            ("a IS DISTINCT FROM b AND c IS NULL", "(a IS DISTINCT FROM b) AND (c IS NULL)"),
            // What follows is more than one operator.
            (
                "NOT a IS DISTINCT FROM b AND c AND d",
                "((NOT (a IS DISTINCT FROM b)) AND c) AND d",
            ),
            (
                "x AND a IS DISTINCT FROM b OR c OR d",
                "((x AND (a IS DISTINCT FROM b)) OR c) OR d",
            ),
            (
                "NOT a IS DISTINCT FROM b AND c OR d",
                "((NOT (a IS DISTINCT FROM b)) AND c) OR d",
            ),
            (
                "x OR a IS DISTINCT FROM b AND c AND d OR e",
                "(x OR (((a IS DISTINCT FROM b) AND c) AND d)) OR e",
            ),
        ] {
            let read = |sql: &str| {
                Parser::new(&GenericDialect {})
                    .try_with_sql(sql)
                    .unwrap()
                    .parse_expr()
                    .unwrap()
            };
            let mut expression = read(sql);
            turn(&mut expression).unwrap();
            assert_eq!(bracketed(&expression), bracketed(&read(brackets)), "{sql}");
        }
    }

    /// With brackets around every operator, and none twice.
    fn bracketed(expression: &Expr) -> String {
        match expression {
            Expr::Nested(inner) => bracketed(inner),
            Expr::BinaryOp { left, op, right } => format!("({} {op} {})", bracketed(left), bracketed(right)),
            Expr::UnaryOp { op, expr } => format!("({op} {})", bracketed(expr)),
            Expr::IsDistinctFrom(left, right) => format!("({} <> {})", bracketed(left), bracketed(right)),
            Expr::IsNotDistinctFrom(left, right) => format!("({} == {})", bracketed(left), bracketed(right)),
            other => other.to_string(),
        }
    }

    #[test]
    fn what_sql_does_not_read_is_refused() {
        for sql in [
            "a IS DISTINCT FROM b IS NULL",
            "a IS DISTINCT FROM b IS DISTINCT FROM c",
            "a IS DISTINCT FROM b IS DISTINCT FROM c AND d",
            "a IS DISTINCT FROM b IS NOT NULL OR d",
            "a @> b IS DISTINCT FROM c AND d",
        ] {
            assert!(turned(sql).is_err(), "{sql}");
        }
    }
}
