//! The public handle of a lazy array.

use super::{Report, Session};
use crate::expr::{Custom, Expr};
use crate::geometry::Chunks;
use crate::store::{MemorySource, Source};
use crate::{Error, Result};
use std::fmt;
use std::sync::Arc;
use tilewise_kernels::{DType, Element, Literal, Scalar, promote_weak};

/// A lazy n-dimensional array. Operations cost nothing until [`Array::compute`] or a session's
/// `store`; shapes and dtypes are checked at the call.
///
/// ```
/// use tilewise::Array;
/// let x = Array::from_vec(&[2, 3], vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// let anomaly = (&x - &x.mean(&[0])?)?;
/// assert_eq!(anomaly.compute::<f32>()?.into_raw_vec_and_offset().0, [-1.5, -1.5, -1.5, 1.5, 1.5, 1.5]);
/// # Ok::<(), tilewise::Error>(())
/// ```
#[derive(Clone)]
pub struct Array {
    expr: Expr,
}

impl Array {
    /// The array of an expression.
    pub fn from_expr(expr: Expr) -> Array {
        Array { expr }
    }

    /// Its expression.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// An outside array.
    ///
    /// # Errors
    /// When its size does not fit 64 bits.
    pub fn from_source(source: Arc<dyn Source>) -> Result<Array> {
        Expr::source(source).map(Array::from_expr)
    }

    /// Elements in row-major order, which stay where they are.
    ///
    /// # Errors
    /// When there are not as many as the shape has.
    pub fn from_vec<T: Element>(shape: &[usize], values: Vec<T>) -> Result<Array> {
        let stored: Vec<T::Stored> = values.into_iter().map(T::store).collect();
        Array::from_source(Arc::new(MemorySource::from_vec::<T>(shape, stored)?))
    }

    /// A copy of an `ndarray`.
    ///
    /// # Errors
    /// When its size does not fit 64 bits.
    pub fn from_ndarray<T: Element, D: ndarray::Dimension>(array: &ndarray::ArrayRef<T, D>) -> Result<Array> {
        Array::from_vec(array.shape(), array.iter().copied().collect())
    }

    /// One value of its dtype, shape `[]`.
    pub fn scalar<T: Element>(value: T) -> Array {
        Array::from_expr(Expr::scalar(Scalar::new(value)))
    }

    /// `value` everywhere.
    ///
    /// # Errors
    /// When the size does not fit 64 bits.
    pub fn full<T: Element>(shape: &[usize], value: T) -> Result<Array> {
        Expr::full(shape, Scalar::new(value)).map(Array::from_expr)
    }

    /// Uniform random numbers in `[0, 1)`, float64: those of
    /// `numpy.random.Generator(numpy.random.Philox(key=key)).random(shape)`. Nothing is stored: each block
    /// is drawn where and when it is needed, and is the same each time. [`Expr::random`] has float32 too.
    ///
    /// ```
    /// use tilewise::Array;
    /// let x = Array::random(&[2, 3], 7)?.compute::<f64>()?;
    /// assert_eq!(x[[0, 1]], 0.29536538151378355);
    /// # Ok::<(), tilewise::Error>(())
    /// ```
    ///
    /// # Errors
    /// When its size does not fit 64 bits.
    pub fn random(shape: &[usize], key: u64) -> Result<Array> {
        Expr::random(shape, key, DType::F64).map(Array::from_expr)
    }

    /// Normal random numbers of mean 0 and variance 1, float64; see [`Expr::standard_normal`].
    ///
    /// # Errors
    /// When its size does not fit 64 bits.
    pub fn standard_normal(shape: &[usize], key: u64) -> Result<Array> {
        Expr::standard_normal(shape, key, DType::F64).map(Array::from_expr)
    }

    /// The integers from 0 to `count`, `I64`.
    ///
    /// # Errors
    /// When the size does not fit 64 bits.
    pub fn arange(count: usize) -> Result<Array> {
        Expr::index(&[count], 0).map(Array::from_expr)
    }

    /// Shape.
    pub fn shape(&self) -> &[usize] {
        &self.expr.shape
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.expr.rank()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.expr.len()
    }

    /// Whether it has no element.
    pub fn is_empty(&self) -> bool {
        self.expr.is_empty()
    }

    /// Dtype.
    pub fn dtype(&self) -> DType {
        self.expr.dtype
    }

    /// Chunk grid.
    pub fn chunks(&self) -> &Chunks {
        &self.expr.chunks
    }

    /// The values, computed by the global session.
    ///
    /// # Errors
    /// `T` is not the dtype; the memory bound; what reading and computing meet.
    pub fn compute<T: Element>(&self) -> Result<ndarray::ArrayD<T>> {
        Session::global()?.compute(self)
    }

    /// The same values kept as tiles of the global session's store.
    ///
    /// # Errors
    /// As [`Array::compute`].
    pub fn persist(&self) -> Result<Array> {
        Session::global()?.persist(self)
    }

    /// The plan that would compute it, as text.
    ///
    /// # Errors
    /// When no cutting keeps it within the memory bound.
    pub fn explain(&self) -> Result<String> {
        let session = Session::global()?;
        Ok(session.explain(&session.plan(&[self])?))
    }

    /// What the global session's last run did.
    pub fn last_report() -> Option<Report> {
        Session::global().ok()?.last_report()
    }

    /// A closure on each block: it gets the block's elements in row-major order, its extents and
    /// its origin in the array, and fills as many elements of the result.
    pub fn map_blocks<T: Element, U: Element>(
        &self,
        name: &str,
        f: impl Fn(&[T::Stored], &[usize], &[usize], &mut [U::Stored]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Array> {
        if self.dtype() != T::DTYPE {
            return Err(Error::invalid(format!(
                "{name}: the closure takes {}, the array is {}; use astype first",
                T::DTYPE,
                self.dtype()
            )));
        }
        let run = move |inputs: &[&[u8]], shape: &[usize], origin: &[usize], out: &mut [u8]| {
            f(
                bytemuck::cast_slice(inputs[0]),
                shape,
                origin,
                bytemuck::cast_slice_mut(out),
            )
        };
        let custom = Custom::new(name, Arc::new(run));
        Expr::custom(custom, std::slice::from_ref(&self.expr), U::DTYPE).map(Array::from_expr)
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Array<{} {:?} {:?}>",
            self.dtype(),
            self.shape(),
            self.chunks()
        )
    }
}

/// What can stand beside an array in an operation: an array, or a number, which as in NumPy takes
/// the array's dtype where it can hold it.
pub trait IntoOperand {
    /// The operand as an expression for use beside an array of `dtype`.
    ///
    /// # Errors
    /// When the number does not fit.
    fn operand(&self, dtype: DType) -> Result<Expr>;
}

impl IntoOperand for Array {
    fn operand(&self, _: DType) -> Result<Expr> {
        Ok(self.expr.clone())
    }
}

impl IntoOperand for Literal {
    fn operand(&self, dtype: DType) -> Result<Expr> {
        let dtype = promote_weak(dtype, *self).map_err(Error::Invalid)?;
        Ok(Expr::scalar(self.to_scalar(dtype).map_err(Error::Invalid)?))
    }
}

impl IntoOperand for f64 {
    fn operand(&self, dtype: DType) -> Result<Expr> {
        Literal::Float(*self).operand(dtype)
    }
}

impl IntoOperand for i32 {
    fn operand(&self, dtype: DType) -> Result<Expr> {
        Literal::Int(i128::from(*self)).operand(dtype)
    }
}

impl<T: IntoOperand + ?Sized> IntoOperand for &T {
    fn operand(&self, dtype: DType) -> Result<Expr> {
        (**self).operand(dtype)
    }
}
