//! The departure of each month from the mean of all like months, of a file's variable.
//!
//! `cargo run --example anomaly -- FILE VARIABLE OUT.nc`; the file may be larger than memory. What
//! the two passes over it hold at once is proved before the run.

use tilewise::labelled::{Dataset, Encoding, write_netcdf};
use tilewise::session::{Config, Session};

fn main() -> tilewise::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, variable, out] = arguments.as_slice() else {
        println!("usage: anomaly FILE VARIABLE OUT.nc");
        return Ok(());
    };
    let session = Session::new(Config {
        memory: Some(512 << 20),
        ..Config::default()
    })?;
    let field = Dataset::open(file)?.get(variable)?;
    let climatology = field.groupby("time.month")?.mean()?;
    // The months of the climatology meet the times they were made from.
    let anomaly = (&field - &climatology)?.renamed("anomaly");
    write_netcdf(&session, out.as_ref(), &[anomaly], &Encoding::default())?;
    if let Some(report) = session.last_report() {
        print!("{report}");
    }
    Ok(())
}
