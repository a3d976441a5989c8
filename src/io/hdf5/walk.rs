//! The groups and datasets of a file, each visited once.
//!
//! Hard links may form cycles and give one object several names; an object counts under the first
//! name it is met by.

use super::attributes::{self, address};
use super::dataset::{Dataset, file_name};
use super::ffi::{H5Dvlen_reclaim, H5Result, Id, check, cstring, name_from};
use crate::io::catalog::Attributes;
use hdf5_sys::h5::{H5_INDEX_CRT_ORDER, H5_INDEX_NAME, H5_ITER_INC};
use hdf5_sys::h5a::{H5Aget_space, H5Aget_type, H5Aread};
use hdf5_sys::h5g::{H5G_info_t, H5Gget_create_plist, H5Gget_info};
use hdf5_sys::h5i::{H5I_DATASET, H5I_GROUP, H5Iget_type};
use hdf5_sys::h5l::H5Lget_name_by_idx;
use hdf5_sys::h5o::H5Oopen;
use hdf5_sys::h5p::{H5P_CRT_ORDER_TRACKED, H5P_DEFAULT, H5Pget_link_creation_order};
use hdf5_sys::h5t::{H5T_REFERENCE, H5T_VLEN, H5Tget_class, H5Tget_size, H5Tget_super, hvl_t};
use std::collections::HashSet;

/// Begins the `NAME` of a scale that is a NetCDF dimension without values.
const ONLY_A_DIMENSION: &str = "This is a netCDF dimension but not a netCDF variable";

/// Begins the name of a variable that is called like a dimension but is not its coordinate.
const NOT_A_COORDINATE: &str = "_nc4_non_coord_";

/// Nested groups deeper than this are no data anybody made on purpose.
const MOST_DEPTH: usize = 64;

/// A group.
#[derive(Debug)]
pub(super) struct Group {
    /// `/` or `/name/name`.
    pub path: String,
    /// Its attributes.
    pub attributes: Attributes,
}

/// A dataset with what NetCDF wrote about it.
#[derive(Debug)]
pub(super) struct Node {
    /// The library's description.
    pub dataset: Dataset,
    /// The number of its group.
    pub group: usize,
    /// Its name within the group.
    pub name: String,
    /// What references to it hold.
    pub address: u64,
    /// Whether it is a dimension scale.
    pub is_scale: bool,
    /// Whether it is a NetCDF dimension without values.
    pub only_a_dimension: bool,
    /// NetCDF's number of the dimension that it is the scale of.
    pub dim_number: Option<i64>,
    /// NetCDF's numbers of the dimensions of a coordinate of several axes.
    pub coordinate_dims: Option<Vec<i64>>,
    /// The address of the scale of each axis, 0 for none.
    pub scales: Option<Vec<u64>>,
    /// Its attributes without NetCDF's bookkeeping.
    pub attributes: Attributes,
}

/// Everything found, parents before children.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Groups, the root first.
    pub groups: Vec<Group>,
    /// Datasets in the order of the file.
    pub nodes: Vec<Node>,
    /// What could not be read.
    pub notes: Vec<String>,
}

/// Visits a file; the lock is held.
pub(super) fn walk(file: &Id) -> H5Result<Walk> {
    let mut found = Walk::default();
    let root = open_object(file, "/")?;
    let mut seen = Seen {
        file: file_name(&root)?,
        places: HashSet::new(),
    };
    visit(&root, "/", 0, &mut seen, &mut found)?;
    Ok(found)
}

/// The objects met so far.
struct Seen {
    /// The file's name; links may lead to objects of other files, where addresses mean other things.
    file: String,
    places: HashSet<(String, u64)>,
}

impl Seen {
    /// Whether an object is met for the first time.
    fn is_new(&mut self, object: &Id) -> H5Result<bool> {
        let name = file_name(object)?;
        Ok(self.places.insert((name, address(object)?)))
    }
}

fn open_object(place: &Id, name: &str) -> H5Result<Id> {
    let c_name = cstring(name)?;
    // SAFETY: a valid file or group and a C string; the lock is held by the caller.
    Id::new(
        unsafe { H5Oopen(place.raw(), c_name.as_ptr(), H5P_DEFAULT) },
        "open an object",
    )
}

/// Visits one group and what is below it.
fn visit(group: &Id, path: &str, depth: usize, seen: &mut Seen, found: &mut Walk) -> H5Result<()> {
    if !seen.is_new(group)? {
        return Ok(());
    }
    let names = attributes::names(group)?;
    let attributes = attributes::read_all(group, &names, path, &mut found.notes);
    let number = found.groups.len();
    found.groups.push(Group {
        path: path.to_string(),
        attributes,
    });
    let mut below = Vec::new();
    for name in link_names(group)? {
        let full = join(path, &name);
        let object = match open_object(group, &name) {
            Ok(object) => object,
            Err(reason) => {
                found.notes.push(format!("{full} is not shown: {reason}"));
                continue;
            }
        };
        // SAFETY: a valid object; the lock is held.
        match unsafe { H5Iget_type(object.raw()) } {
            H5I_GROUP => below.push((full, object)),
            H5I_DATASET if seen.is_new(&object)? => {
                match node(object, number, (&full, &name), &seen.file, &mut found.notes) {
                    Ok(node) => found.nodes.push(node),
                    Err(reason) => found.notes.push(format!("{full} is not shown: {reason}")),
                }
            }
            _ => {}
        }
    }
    for (full, object) in below {
        if depth == MOST_DEPTH {
            found.notes.push(format!(
                "{full} is not shown: groups are nested more than {MOST_DEPTH} deep"
            ));
        } else {
            visit(&object, &full, depth + 1, seen, found)?;
        }
    }
    Ok(())
}

/// The path of `name` in the group `path`.
pub(super) fn join(path: &str, name: &str) -> String {
    if path == "/" {
        format!("/{name}")
    } else {
        format!("{path}/{name}")
    }
}

/// The names of the links of a group, in the order of their creation where that is kept.
fn link_names(group: &Id) -> H5Result<Vec<String>> {
    let doing = "list a group";
    let mut info = H5G_info_t::default();
    let mut order = 0;
    // SAFETY: a valid group and places to write to; the lock is held.
    unsafe {
        check(H5Gget_info(group.raw(), &mut info), doing)?;
        let list = Id::new(H5Gget_create_plist(group.raw()), doing)?;
        check(H5Pget_link_creation_order(list.raw(), &mut order), doing)?;
    }
    let tracked = order & H5P_CRT_ORDER_TRACKED != 0;
    let index = if tracked {
        H5_INDEX_CRT_ORDER
    } else {
        H5_INDEX_NAME
    };
    (0..info.nlinks)
        .map(|n| {
            // SAFETY: a valid group, a number below the count, and a buffer of the length told.
            name_from(doing, |buffer, len| unsafe {
                let here = c".".as_ptr();
                H5Lget_name_by_idx(group.raw(), here, index, H5_ITER_INC, n, buffer, len, H5P_DEFAULT)
            })
        })
        .collect()
}

/// Describes one dataset.
fn node(
    object: Id,
    group: usize,
    (full, link): (&str, &str),
    file: &str,
    notes: &mut Vec<String>,
) -> H5Result<Node> {
    let dataset = Dataset::new(object, file)?;
    let object = &dataset.id;
    // Names are listed once, as asking for each costs as much as reading it.
    let names = attributes::names(object)?;
    let has = |name: &str| names.iter().any(|n| n == name);
    let text = |name: &str| match has(name) {
        true => attributes::text(object, name),
        false => Ok(None),
    };
    let integers = |name: &str| match has(name) {
        true => attributes::integers(object, name),
        false => Ok(None),
    };
    let is_scale = text("CLASS")?.as_deref() == Some("DIMENSION_SCALE");
    let scale_name = if is_scale { text("NAME")? } else { None };
    let dim_number = integers("_Netcdf4Dimid")?.and_then(|v| v.first().copied());
    let coordinate_dims = integers("_Netcdf4Coordinates")?;
    // The scales of another file are none of this one.
    let scales = match has("DIMENSION_LIST") && dataset.at_home {
        true => scales(object)?,
        false => None,
    };
    let shown = attributes::read_all(object, &names, full, notes);
    Ok(Node {
        group,
        name: link.strip_prefix(NOT_A_COORDINATE).unwrap_or(link).to_string(),
        address: dataset.address,
        is_scale: is_scale && dataset.at_home,
        only_a_dimension: scale_name.is_some_and(|n| n.starts_with(ONLY_A_DIMENSION)),
        dim_number,
        coordinate_dims,
        scales,
        attributes: shown,
        dataset,
    })
}

/// The addresses in `DIMENSION_LIST`: a list of references per axis, of which the first counts.
fn scales(object: &Id) -> H5Result<Option<Vec<u64>>> {
    let attribute = attributes::open(object, "DIMENSION_LIST")?;
    let doing = "read DIMENSION_LIST";
    let count = attributes::element_count(&attribute)?.unwrap_or(0);
    // SAFETY: the type is checked to be lists of references of eight bytes, the buffer has an entry
    // per element, and each list is read within its length before the library takes it back; the
    // lock is held.
    unsafe {
        let stored = Id::new(H5Aget_type(attribute.raw()), doing)?;
        if H5Tget_class(stored.raw()) != H5T_VLEN || count > hdf5_sys::h5s::H5S_MAX_RANK as usize {
            return Ok(None);
        }
        let inner = Id::new(H5Tget_super(stored.raw()), doing)?;
        if H5Tget_class(inner.raw()) != H5T_REFERENCE || H5Tget_size(inner.raw()) != 8 {
            return Ok(None);
        }
        let mut lists = vec![
            hvl_t {
                len: 0,
                p: std::ptr::null_mut()
            };
            count
        ];
        let buffer = lists.as_mut_ptr().cast();
        check(H5Aread(attribute.raw(), stored.raw(), buffer), doing)?;
        let first = |l: &hvl_t| {
            if l.len == 0 || l.p.is_null() {
                0
            } else {
                l.p.cast::<u64>().read_unaligned()
            }
        };
        let addresses = lists.iter().map(first).collect();
        let space = Id::new(H5Aget_space(attribute.raw()), doing)?;
        H5Dvlen_reclaim(stored.raw(), space.raw(), H5P_DEFAULT, buffer);
        Ok(Some(addresses))
    }
}
