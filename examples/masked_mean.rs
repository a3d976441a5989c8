//! The area-weighted mean of a field over the places where a condition holds.
//!
//! The field here is made in memory; one read from a file by `Dataset` is used the same way.

use tilewise::io::Attributes;
use tilewise::labelled::{Coord, DataArray, Index};
use tilewise::{Array, DType};

fn main() -> tilewise::Result<()> {
    let (times, rows, columns) = (24, 45, 90);
    let lat: Vec<f64> = (0..rows).map(|i| -88.0 + 4.0 * i as f64).collect();
    let values: Vec<f32> = (0..times * rows * columns)
        .map(|i| 288.0 - 40.0 * lat[i / columns % rows].to_radians().sin().powi(2) as f32)
        .collect();
    let dims = ["time", "lat", "lon"].map(String::from).to_vec();
    let coords = vec![(
        "lat".to_string(),
        Coord::along("lat", Index::floats(lat), Attributes::new()),
    )];
    let array = Array::from_vec(&[times, rows, columns], values)?;
    let field = DataArray::new("tas", array.expr().clone(), dims, coords, Attributes::new())?;

    let weights = field
        .coordinate("lat")?
        .apply("radians", &[])?
        .apply("cos", &[])?;
    let warm = field.apply("greater", &[273.15.into()])?;
    let masked = field.where_(&warm, f64::NAN.into())?;
    let mean = masked.weighted_mean(&weights, &["lat", "lon"])?;

    println!("{}", mean.describe());
    let values = mean.astype(DType::F64).compute::<f64>()?;
    println!("first {:.3} K, last {:.3} K", values[[0]], values[[times - 1]]);
    Ok(())
}
