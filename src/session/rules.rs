//! The rules of planning that the tables of a site need, in a session and in a context of an embedding program.

use std::sync::Arc;

use datafusion::optimizer::analyzer::AnalyzerRule;
use datafusion::optimizer::{Analyzer, Optimizer, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::prelude::SessionContext;

use super::correlated::TiedSubqueries;
use super::documents;
use super::exists::OneRowExists;
use super::far::{self, EveryYear};
use super::fractions::WholeFractions;
use super::lengths::IntervalsByLength;
use super::lists::ListsApart;
use super::membership::Membership;
use super::moments::{MomentsInTheirUnit, Now};
use super::outer::ForgetConstants;
use super::overflow::NoOverflow;
use super::push::PushFilters;
use super::regexes::AnyText;
use super::shifts::LeadOfValues;
use super::skipped::KeepOffsets;
use super::subquery::OneValue;
use super::sums;
use super::to_char;
use super::totals::ConditionsOnTotals;
use super::unnested::ForgetKeys;
use crate::table::{CarryParentFilters, ComparedInputs, PushOrderedLimit};

pub(super) type PhysicalRules = Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>;

/// Adds the functions that the engine lacks, or that stand in place of its own.
pub(super) fn functions(context: &SessionContext) {
    for function in documents::functions() {
        context.register_udf(function);
    }
    context.register_udf(Now::function(context.state().config_options()));
    context.register_udf(to_char::function());
    for function in far::functions() {
        context.register_udf(function);
    }
    for function in sums::functions() {
        context.register_udaf(function);
    }
}

/// Adds the rules of the analyzer, once.
pub(super) fn analyze(analyzer: &mut Analyzer) {
    let ours: [Arc<dyn AnalyzerRule + Send + Sync>; 11] = [
        Arc::new(MomentsInTheirUnit),
        Arc::new(TiedSubqueries),
        Arc::new(IntervalsByLength),
        Arc::new(OneValue),
        Arc::new(ConditionsOnTotals),
        Arc::new(Membership),
        Arc::new(OneRowExists),
        Arc::new(EveryYear),
        Arc::new(NoOverflow),
        Arc::new(LeadOfValues),
        Arc::new(AnyText),
    ];
    for ours in ours {
        if analyzer.rules.iter().all(|rule| rule.name() != ours.name()) {
            analyzer.rules.push(ours);
        }
    }
}

/// Adds the rules of the optimizer, once: one behind all that are there, the others before each rule that would mistake what they mend.
pub(super) fn optimize(optimizer: &mut Optimizer) {
    let last: Arc<dyn OptimizerRule + Send + Sync> = Arc::new(ComparedInputs);
    let before: [(Arc<dyn OptimizerRule + Send + Sync>, &[&str]); 3] = [
        (Arc::new(ForgetKeys), &ForgetKeys::BEFORE),
        (Arc::new(WholeFractions), &[SIMPLIFY]),
        (Arc::new(ListsApart), &[SIMPLIFY]),
    ];
    let is_ours = |name: &str| name == last.name() || before.iter().any(|(rule, _)| rule.name() == name);
    let theirs = std::mem::take(&mut optimizer.rules);
    for rule in theirs.into_iter().filter(|rule| !is_ours(rule.name())) {
        let mending = before.iter().filter(|(_, mistaken)| mistaken.contains(&rule.name()));
        optimizer.rules.extend(mending.map(|(ours, _)| ours.clone()));
        optimizer.rules.push(rule);
    }
    optimizer.rules.push(last);
}

/// The rule of the engine that computes constants, takes casts away and makes one list of two.
const SIMPLIFY: &str = "simplify_expressions";

/// These rules for physical plans with ours among them, once; the name of one that ours need and that is missing.
pub(super) fn physical(rules: &[Arc<dyn PhysicalOptimizerRule + Send + Sync>]) -> Result<PhysicalRules, &'static str> {
    let behind: [Arc<dyn PhysicalOptimizerRule + Send + Sync>; 2] = [Arc::new(CarryParentFilters), Arc::new(PushOrderedLimit)];
    let is_ours =
        |name: &str| [ForgetConstants::NAME, KeepOffsets::NAME].contains(&name) || behind.iter().any(|rule| rule.name() == name);
    let mut all: PhysicalRules = Vec::new();
    let mut needed = vec![ForgetConstants::BEFORE, PushFilters::LATE];
    for rule in rules.iter().filter(|rule| !is_ours(rule.name())) {
        needed.retain(|name| *name != rule.name());
        if rule.name() == ForgetConstants::BEFORE {
            all.push(Arc::new(ForgetConstants));
            all.push(Arc::new(KeepOffsets));
        }
        match PushFilters::in_place_of(rule.name()) {
            Some(ours) => all.push(Arc::new(ours)),
            None => all.push(rule.clone()),
        }
    }
    if let Some(missing) = needed.first() {
        return Err(missing);
    }
    all.extend(behind);
    Ok(all)
}
