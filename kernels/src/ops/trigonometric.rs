//! Circular functions and angles.

use super::record::{Wgsl, function};
use super::strip::map;
use super::{OpDef, Ulp, infer};

/// A constant rounded to the type and one product.
const ONE_PRODUCT: Ulp = Ulp {
    f32: 1.5,
    f64: 1.5,
    gpu: 1.5,
};

pub(super) static OPS: &[OpDef] = &[
    function!(sin(x) [] if angle_is_small => sin_small, "Sine of an angle in radians.", "sin(x)"),
    function!(cos(x) [] if angle_is_small => cos_small, "Cosine of an angle in radians.", "cos(x)"),
    function!(tan(x) [] if angle_is_small => tan_small, "Tangent of an angle in radians.", "tan(x)"),
    function!(
        asin(x)["arcsin"],
        "Arcsine in radians; NaN outside -1 to 1.",
        "asin(x)"
    ),
    function!(
        acos(x)["arccos"],
        "Arccosine in radians; NaN outside -1 to 1.",
        "acos(x)"
    ),
    function!(atan(x)["arctan"], "Arctangent in radians.", "atan(x)"),
    function!(
        atan2(x, y)["arctan2"],
        "Angle of the point (x2, x1) in radians, in the right quadrant.",
        "atan2(v, u)"
    ),
    OpDef {
        name: "deg2rad",
        aliases: &["radians"],
        arity: 1,
        infer: infer::floating,
        kernel: |args, isa| {
            map!(args, isa;
                f32: (x) = x * (std::f64::consts::PI / 180.0) as f32;
                f64: (x) = x * (std::f64::consts::PI / 180.0);
            )
        },
        wgsl: |args| {
            Wgsl {
                f32: Some("$0 * 0.017453292519943295f"),
                f64: Some("$0 * 0.017453292519943295lf"),
                ..Wgsl::NONE
            }
            .of(args)
        },
        ulp: ONE_PRODUCT,
        doc: "Degrees to radians.",
        example: "cos(radians(lat))",
    },
    OpDef {
        name: "rad2deg",
        aliases: &["degrees"],
        arity: 1,
        infer: infer::floating,
        kernel: |args, isa| {
            map!(args, isa;
                f32: (x) = x * (180.0 / std::f64::consts::PI) as f32;
                f64: (x) = x * (180.0 / std::f64::consts::PI);
            )
        },
        wgsl: |args| {
            Wgsl {
                f32: Some("$0 * 57.29577951308232f"),
                f64: Some("$0 * 57.29577951308232lf"),
                ..Wgsl::NONE
            }
            .of(args)
        },
        ulp: ONE_PRODUCT,
        doc: "Radians to degrees.",
        example: "degrees(x)",
    },
];
