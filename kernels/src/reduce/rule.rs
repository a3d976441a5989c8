//! What a reduction says about itself, once for every way its elements come.
//!
//! Elements come in batches: some rows of columns, where column `j` of every row goes to the same
//! cell. A rule keeps a [`Rule::Part`] of a batch in first-level cache, lets up to [`BLOCK`] rows
//! join it at a time, and hands it on as [`Rule::Lanes`], which join the cells of a state. Loops
//! run over columns with everything they touch in arrays, so they vectorise; the order of additions
//! depends on the constants here only, never on the instruction set.

/// Cells joined side by side.
pub(super) const LANES: usize = 16;

/// Rows that join a part at a time.
pub(super) const BLOCK: usize = 8;

/// Most rows of a batch.
pub(super) const ROWS: usize = 64;

/// Most columns of a batch.
pub(super) const COLUMNS: usize = 512;

/// What is kept of every column: a little longer than needed, so that the same columns of several
/// lists do not meet in one set of the cache.
pub(super) type Column<T> = [T; COLUMNS + 8];

/// Rows of elements for the same cells.
pub(super) struct Batch<'a, E> {
    /// The elements.
    pub values: &'a [E],
    /// First element of each row; at least one and at most [`ROWS`].
    pub starts: &'a [usize],
    /// Columns of each row but the last.
    pub columns: usize,
    /// Columns of the last row.
    pub last: usize,
    /// Index of each row's first element; rising. Empty where indices do not matter.
    pub indices: &'a [i64],
    /// What a column adds to the index.
    pub step: i64,
}

impl<E> Batch<'_, E> {
    /// Number of elements of a column.
    #[inline(always)]
    pub(super) fn count(&self, column: usize) -> usize {
        self.starts.len() - usize::from(column >= self.last)
    }

    /// Number of elements of `L` columns, as whole numbers.
    #[inline(always)]
    pub(super) fn counts<const L: usize>(&self, first: usize) -> [f64; L] {
        list(|l| self.count(first + l) as f64)
    }

    /// The elements of a row.
    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> &[E] {
        let columns = if row + 1 == self.starts.len() {
            self.last
        } else {
            self.columns
        };
        &self.values[self.starts[row]..][..columns]
    }
}

/// How elements join the cells of one state.
pub(super) trait Rule {
    /// The planes of the cells.
    type Store;
    /// The type of the elements fed.
    type Elem: Copy + Default;
    /// `L` cells in registers.
    type Lanes<const L: usize>: Copy;
    /// What was seen of the columns of a batch.
    type Part;
    /// Whether indices matter.
    const INDEXED: bool = false;
    /// Whether [`Rule::rows`] does anything.
    const READS: bool = true;
    /// Whether loops for wider instruction sets are worth their code.
    const WIDE: bool = true;

    /// Cells that nothing has joined.
    fn blank<const L: usize>() -> Self::Lanes<L>;
    /// The cells `at .. at + L`.
    fn load<const L: usize>(store: &Self::Store, at: usize) -> Self::Lanes<L>;
    /// Writes the cells `at .. at + L`.
    fn save<const L: usize>(store: &mut Self::Store, at: usize, lanes: Self::Lanes<L>);
    /// Joins `other[l]` to cell `l`.
    fn merge<const L: usize>(lanes: &mut Self::Lanes<L>, other: &Self::Lanes<L>);
    /// The cells `from .. from + M`.
    fn pick<const L: usize, const M: usize>(lanes: &Self::Lanes<L>, from: usize) -> Self::Lanes<M>;
    /// Replaces cell `at`.
    fn put<const L: usize>(lanes: &mut Self::Lanes<L>, at: usize, one: &Self::Lanes<1>);

    /// Room for a part.
    fn part() -> Self::Part;
    /// Makes it one that no row of the batch has joined.
    fn open(part: &mut Self::Part, batch: &Batch<'_, Self::Elem>);
    /// Joins `R` rows of `columns` elements.
    fn rows<const R: usize>(part: &mut Self::Part, rows: [&[Self::Elem]; R], columns: usize);
    /// The columns `at .. at + L` of a part that every row of the batch has joined.
    fn close<const L: usize>(part: &Self::Part, at: usize, batch: &Batch<'_, Self::Elem>) -> Self::Lanes<L>;

    /// Notes that something was fed to the cells `at .. at + len`.
    #[inline(always)]
    fn mark(_store: &mut Self::Store, _at: usize, _len: usize) {}

    /// Notes that everything fed to `other` was fed.
    fn merge_marks(_store: &mut Self::Store, _other: &Self::Store) {}
}

/// Joins a batch.
#[inline(always)]
pub(super) fn take<R: Rule>(part: &mut R::Part, batch: &Batch<'_, R::Elem>) {
    R::open(part, batch);
    if R::READS {
        pass::<R>(part, batch);
    }
}

/// Joins every row of a batch.
#[inline(always)]
pub(super) fn pass<R: Rule>(part: &mut R::Part, batch: &Batch<'_, R::Elem>) {
    let whole = batch.starts.len() - usize::from(batch.last < batch.columns);
    let mut row = 0;
    while row + BLOCK <= whole {
        let mut rows: [&[R::Elem]; BLOCK] = [&[]; BLOCK];
        for (r, slot) in rows.iter_mut().enumerate() {
            *slot = &batch.values[batch.starts[row + r]..][..batch.columns];
        }
        R::rows::<BLOCK>(part, rows, batch.columns);
        row += BLOCK;
    }
    while row < batch.starts.len() {
        let rest = batch.row(row);
        R::rows::<1>(part, [rest], rest.len());
        row += 1;
    }
}

/// The `L` elements from `start` on.
#[inline(always)]
pub(super) fn window<T: Copy + Default, const L: usize>(values: &[T], start: usize) -> [T; L] {
    let mut out = [T::default(); L];
    out.copy_from_slice(&values[start..start + L]);
    out
}

/// One value per number. As the array's own function, but certain to be part of its caller, whose
/// instruction set it needs.
#[inline(always)]
pub(super) fn list<T: Copy + Default, const R: usize>(of: impl Fn(usize) -> T) -> [T; R] {
    let mut out = [T::default(); R];
    for (r, slot) in out.iter_mut().enumerate() {
        *slot = of(r);
    }
    out
}

/// The first `columns` elements of each row.
#[inline(always)]
pub(super) fn cut<E, const R: usize>(mut rows: [&[E]; R], columns: usize) -> [&[E]; R] {
    for row in &mut rows {
        *row = &row[..columns];
    }
    rows
}

/// Neighbours joined in pairs, then pairs, and so on.
#[inline(always)]
pub(super) fn tree<T: Copy, const R: usize>(mut of: [T; R], join: impl Fn(T, T) -> T) -> T {
    let mut apart = 1;
    while apart < R {
        let mut at = 0;
        while at + apart < R {
            of[at] = join(of[at], of[at + apart]);
            at += 2 * apart;
        }
        apart *= 2;
    }
    of[0]
}
