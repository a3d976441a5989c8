//! Arrays that computations keep for each other.
//!
//! [`Session::cache`] marks an array, by the content of its expression. The first computation that needs
//! all of a marked array keeps its tiles, as [`Session::persist`] would; later ones read them wherever the
//! same expression stands in theirs. Tiles that are kept so never make a run fail: they are given up
//! when the disk has no room for them beside a run, and computed again when they are next needed.

use super::array::Array;
use super::kept::KeptTiles;
use super::{Session, lock};
use crate::expr::{Expr, Substitution, needs};
use crate::plan::{Destination, Plan, Root, Stage, StageKind, array_bytes};
use crate::{Error, Result};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// The marked arrays of a session, by the ids of their expressions.
#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<u128, Entry>>);

struct Entry {
    /// Keeps what it is made of alive, so that its id stays its own.
    expr: Expr,
    kept: Option<Arc<KeptTiles>>,
}

impl Cache {
    /// Whether no array is marked.
    pub fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }

    /// The tiles of an array, if they are kept now.
    pub fn kept(&self, id: u128) -> Option<Arc<KeptTiles>> {
        lock(&self.0).get(&id)?.kept.clone()
    }

    fn set(&self, id: u128, kept: Option<Arc<KeptTiles>>) {
        if let Some(entry) = lock(&self.0).get_mut(&id) {
            entry.kept = kept;
        }
    }

    /// Gives up all tiles; whether there were any.
    fn give_up(&self) -> bool {
        let tiles: Vec<_> = lock(&self.0).values_mut().filter_map(|e| e.kept.take()).collect();
        !tiles.is_empty()
    }
}

impl Session {
    /// Keeps an array from one computation to the next: the first one that needs all of it, as a result or
    /// within it, keeps its tiles, and later ones read them. Other than [`Session::persist`] it computes
    /// nothing now, and finds the array in every expression that holds an equal one, also in those that
    /// were made before.
    ///
    /// Tiles count against the memory given and may be spilled. They are not kept when that takes longer
    /// than computing the array again: when it is larger than half of the memory and streams through one
    /// kernel from no more bytes than spilling would move. They are given up when the disk is full.
    ///
    /// ```
    /// use tilewise::{Array, Session};
    ///
    /// let session = Session::new(Default::default())?;
    /// let x = Array::random(&[100, 50], 1)?;
    /// let anomaly = (&x - &x.mean(&[0])?)?;
    /// session.cache(&anomaly);
    /// let most = session.compute::<f64>(&anomaly.max(&[0])?)?; // computes the anomaly and keeps it
    /// assert!(session.is_cached(&anomaly));
    /// let least = session.compute::<f64>(&anomaly.min(&[0])?)?; // reads what was kept
    /// assert!(least[[7]] < 0.0 && most[[7]] > 0.0);
    /// assert!(session.uncache(&anomaly));
    /// # Ok::<(), tilewise::Error>(())
    /// ```
    pub fn cache(&self, array: &Array) {
        let expr = array.expr().clone();
        let mut entries = lock(&self.inner.cache.0);
        entries
            .entry(expr.id())
            .or_insert_with(|| Entry { expr, kept: None });
    }

    /// Ends that; whether the array was marked. Tiles go with the last computation that reads them.
    pub fn uncache(&self, array: &Array) -> bool {
        let entry = lock(&self.inner.cache.0).remove(&array.expr().id());
        entry.is_some()
    }

    /// Whether an array's tiles are kept now.
    pub fn is_cached(&self, array: &Array) -> bool {
        self.inner.cache.kept(array.expr().id()).is_some()
    }

    /// Whether an array is marked.
    pub(super) fn is_marked(&self, id: u128) -> bool {
        lock(&self.inner.cache.0).contains_key(&id)
    }

    /// Bytes of the elements of all arrays that outlive computations, persisted ones too.
    pub fn kept_bytes(&self) -> u64 {
        self.inner.kept.elements.load(Ordering::Relaxed)
    }

    /// Plans some roots over what is cached, after what they need and can be kept is.
    pub(super) fn plan_cached(&self, roots: &[Root]) -> Result<(Plan, Vec<Root>)> {
        let cache = &self.inner.cache;
        if cache.is_empty() {
            return Ok((self.inner.plan(roots)?, roots.to_vec()));
        }
        let with = self.over_kept(roots, true)?;
        match self.inner.plan(&with) {
            Err(Error::Memory { tier: "disk", .. }) if cache.give_up() => {
                drop(with);
                Ok((self.inner.plan(roots)?, roots.to_vec()))
            }
            plan => Ok((plan?, with)),
        }
    }

    /// The roots with what is cached in its place; `fill` keeps what is not yet.
    pub(super) fn over_kept(&self, roots: &[Root], fill: bool) -> Result<Vec<Root>> {
        let cache = &self.inner.cache;
        let mut known = Substitution::default();
        let mut missing = HashMap::new();
        let exprs: Vec<Expr> = roots.iter().map(|root| root.expr.clone()).collect();
        // Only of these it is asked whether all of their tiles are there.
        let below = needs(&exprs, |_| false);
        let entries: Vec<_> = lock(&cache.0)
            .values()
            .filter(|entry| below.contains_key(&entry.expr.id()))
            .map(|entry| (entry.expr.clone(), entry.kept.clone()))
            .collect();
        for (expr, kept) in entries {
            match kept.filter(|kept| kept.is_there()) {
                Some(kept) => known.put(&expr, Expr::source(kept)?),
                None => {
                    missing.insert(expr.id(), expr);
                }
            }
        }
        let needed = needs(&exprs, |id| known.holds(id));
        let is_needed = |expr: &Expr| needed.get(&expr.id()) == Some(&true);
        let mut missing: Vec<Expr> = missing.into_values().filter(is_needed).collect();
        // What others are made of comes first.
        missing.sort_by_key(|expr| expr.depth);
        for expr in missing.into_iter().filter(|_| fill) {
            let started = Instant::now();
            let kept = self.fill(known.of(&expr))?;
            *lock(&self.inner.filling) += started.elapsed().as_secs_f64();
            cache.set(expr.id(), kept.clone());
            if let Some(kept) = kept {
                known.put(&expr, Expr::source(kept)?);
            }
        }
        let with = |root: &Root| Root {
            expr: known.of(&root.expr),
            to: root.to.clone(),
        };
        Ok(roots.iter().map(with).collect())
    }

    /// Computes and keeps the tiles of an array, where that pays and there is room for them.
    fn fill(&self, expr: Expr) -> Result<Option<Arc<KeptTiles>>> {
        let root = Root {
            expr,
            to: Destination::Keep,
        };
        let fits = |error| match error {
            Error::Memory { .. } => Ok(None),
            other => Err(other),
        };
        let plan = match self.inner.plan(std::slice::from_ref(&root)) {
            Ok(plan) => plan,
            Err(error) => return fits(error),
        };
        if !pays(&plan, self.inner.limits.host) {
            return Ok(None);
        }
        match self.run_planned(&[root], plan, vec![None]) {
            Ok((plan, keys)) => self.kept_tiles(&plan, &keys, true).map(Some),
            Err(error) => fits(error),
        }
    }
}

/// Whether reading an array's tiles takes less than computing it again: those that stay in memory do;
/// others are written and read, so that what streams through one kernel has to move more than that.
fn pays(plan: &Plan, host: u64) -> bool {
    let array = &plan.arrays[plan.roots[0]];
    let bytes = array_bytes(array);
    let streams = |stage: &Stage| matches!(stage.kind, StageKind::Store | StageKind::Reduce { .. });
    let moved = |stage| {
        let cost = plan.cost(stage);
        cost.source_bytes + cost.array_bytes
    };
    match &plan.stages[..] {
        [only] if streams(only) => bytes <= host / 2 || moved(only) > 2 * bytes,
        _ => true,
    }
}
