//! From tokens to a query.

use super::lex::{Token, lex};

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Query {
    pub(super) clause: Option<Clause>,
    /// Field names, and whether the largest come first.
    pub(super) order: Vec<(String, bool)>,
}

/// What an issue must satisfy.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Clause {
    All(Vec<Clause>),
    Any(Vec<Clause>),
    Not(Box<Clause>),
    Term { field: String, op: Op, operand: Operand },
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Equal,
    Unequal,
    Like,
    Unlike,
    Less,
    AtMost,
    Greater,
    AtLeast,
    In,
    NotIn,
    Is,
    IsNot,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Text(String),
    /// A number without quotes: an id before it is a name.
    Number(String),
    Empty,
    Function(String, Vec<String>),
    List(Vec<Operand>),
}

/// Reads a query; the error is what Jira says.
pub(super) fn parse(text: &str) -> Result<Query, String> {
    let mut parser = Parser {
        tokens: lex(text)?,
        at: 0,
        depth: 0,
    };
    let clause = if parser.tokens.is_empty() || parser.sees("ORDER") {
        None
    } else {
        Some(parser.any()?)
    };
    let mut order = Vec::new();
    if parser.takes("ORDER") {
        if !parser.takes("BY") {
            return Err(parser.surprise("by"));
        }
        loop {
            let field = parser.name()?;
            let descending = parser.takes("DESC");
            if !descending {
                parser.takes("ASC");
            }
            order.push((field, descending));
            if !parser.sign(",") {
                break;
            }
        }
    }
    match parser.tokens.get(parser.at) {
        None => Ok(Query { clause, order }),
        Some(_) => Err(parser.surprise("OR, AND")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn sees(&self, keyword: &str) -> bool {
        matches!(self.tokens.get(self.at), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword))
    }

    fn takes(&mut self, keyword: &str) -> bool {
        let sees = self.sees(keyword);
        self.at += usize::from(sees);
        sees
    }

    fn sign(&mut self, sign: &str) -> bool {
        let sees = matches!(self.tokens.get(self.at), Some(Token::Sign(own)) if *own == sign);
        self.at += usize::from(sees);
        sees
    }

    fn surprise(&self, expected: &str) -> String {
        let found = match self.tokens.get(self.at) {
            Some(Token::Word(word) | Token::Quoted(word) | Token::Custom(word)) => word.clone(),
            Some(Token::Sign(sign)) => (*sign).to_owned(),
            None => return format!("Error in the JQL Query: Expecting {expected} before the end of the query."),
        };
        format!("Error in the JQL Query: Expecting {expected} but got '{found}'.")
    }

    fn any(&mut self) -> Result<Clause, String> {
        let mut parts = vec![self.all()?];
        while self.takes("OR") || self.sign("||") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 {
            parts.remove(0)
        } else {
            Clause::Any(parts)
        })
    }

    fn all(&mut self) -> Result<Clause, String> {
        let mut parts = vec![self.not()?];
        while self.takes("AND") || self.sign("&&") {
            parts.push(self.not()?);
        }
        Ok(if parts.len() == 1 {
            parts.remove(0)
        } else {
            Clause::All(parts)
        })
    }

    fn not(&mut self) -> Result<Clause, String> {
        self.depth += 1;
        if self.depth > 200 {
            return Err("Error in the JQL Query: the query is nested too deeply.".into());
        }
        let clause = if self.takes("NOT") || self.sign("!") {
            Clause::Not(Box::new(self.not()?))
        } else if self.sign("(") {
            let inner = self.any()?;
            if !self.sign(")") {
                return Err(self.surprise("')'"));
            }
            inner
        } else {
            self.term()?
        };
        self.depth -= 1;
        Ok(clause)
    }

    fn name(&mut self) -> Result<String, String> {
        match self.tokens.get(self.at) {
            Some(Token::Word(name) | Token::Quoted(name) | Token::Custom(name)) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.surprise("a field name")),
        }
    }

    fn term(&mut self) -> Result<Clause, String> {
        let field = self.name()?;
        const OPS: [(&str, Op); 8] = [
            ("=", Op::Equal),
            ("!=", Op::Unequal),
            ("~", Op::Like),
            ("!~", Op::Unlike),
            ("<", Op::Less),
            ("<=", Op::AtMost),
            (">", Op::Greater),
            (">=", Op::AtLeast),
        ];
        if let Some(&(_, op)) = OPS.iter().find(|(sign, _)| self.sign(sign)) {
            let operand = self.operand()?;
            return Ok(Clause::Term { field, op, operand });
        }
        let op = if self.takes("IS") {
            if self.takes("NOT") { Op::IsNot } else { Op::Is }
        } else if self.takes("NOT") {
            if !self.takes("IN") {
                return Err(self.surprise("IN"));
            }
            Op::NotIn
        } else if self.takes("IN") {
            Op::In
        } else if self.sees("WAS") || self.sees("CHANGED") {
            return Err("The demo site does not keep the history that WAS and CHANGED look at.".into());
        } else {
            return Err(self.surprise("either '=', '!=', '<', '>', '<=', '>=', '~', '!~', 'IN', 'IS' or 'NOT'"));
        };
        let operand = match op {
            Op::In | Op::NotIn => self.list()?,
            _ => self.operand()?,
        };
        Ok(Clause::Term { field, op, operand })
    }

    fn list(&mut self) -> Result<Operand, String> {
        if !self.sign("(") {
            return match self.operand()? {
                function @ Operand::Function(..) => Ok(function),
                _ => Err("Error in the JQL Query: Expecting a list or a function after IN.".into()),
            };
        }
        let mut values = vec![self.operand()?];
        while self.sign(",") {
            values.push(self.operand()?);
        }
        if !self.sign(")") {
            return Err(self.surprise("',' or ')'"));
        }
        Ok(Operand::List(values))
    }

    fn operand(&mut self) -> Result<Operand, String> {
        const KEYWORDS: [&str; 8] = ["AND", "OR", "NOT", "IN", "IS", "ORDER", "BY", "WAS"];
        let token = self.tokens.get(self.at).cloned();
        let operand = match token {
            Some(Token::Quoted(text)) => Operand::Text(text),
            Some(Token::Word(word)) => {
                if matches!(self.tokens.get(self.at + 1), Some(Token::Sign("("))) {
                    self.at += 2;
                    let mut arguments = Vec::new();
                    while !self.sign(")") {
                        arguments.push(self.name()?);
                        self.sign(",");
                    }
                    return Ok(Operand::Function(word, arguments));
                }
                if KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(&word)) {
                    return Err(format!(
                        "Error in the JQL Query: '{word}' is a reserved JQL word. You must surround it in quotation marks to use it in a query."
                    ));
                }
                if word.eq_ignore_ascii_case("EMPTY") || word.eq_ignore_ascii_case("NULL") {
                    Operand::Empty
                } else if word.parse::<i64>().is_ok() {
                    Operand::Number(word)
                } else {
                    Operand::Text(word)
                }
            }
            _ => return Err(self.surprise("a value, list or function")),
        };
        self.at += 1;
        Ok(operand)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedence_and_quotes() {
        let query = parse(r#"a = 1 OR b = "x\"\\" AND NOT c in (d, "e") ORDER BY f DESC, cf[7]"#).unwrap();
        let Some(Clause::Any(parts)) = query.clause else { panic!() };
        assert_eq!(parts.len(), 2);
        let Clause::All(inner) = &parts[1] else { panic!() };
        assert_eq!(
            inner[0],
            Clause::Term {
                field: "b".into(),
                op: Op::Equal,
                operand: Operand::Text("x\"\\".into())
            }
        );
        assert_eq!(query.order, [("f".to_owned(), true), ("cf[7]".to_owned(), false)]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (jql, fragment) in [
            ("a = ", "before the end"),
            ("a = \"b", "not been completed"),
            ("a = \"b\\", "illegal JQL escape"),
            ("a = b c", "Expecting OR, AND but got 'c'"),
            ("(a = b", "')'"),
            ("a = b@c", "reserved JQL character"),
            ("a was b", "history"),
            ("a = and", "reserved JQL word"),
            ("a = \"\t\"", "not allowed"),
        ] {
            let said = parse(jql).unwrap_err();
            assert!(said.contains(fragment), "{jql}: {said}");
        }
    }
}
