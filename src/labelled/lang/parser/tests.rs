//! What the parser makes of texts, shown with every operator in parentheses.

use super::*;

/// A tree as text, each operation in parentheses.
fn show(expr: &Expr) -> String {
    let list = |items: &[Expr]| items.iter().map(show).collect::<Vec<_>>().join(" ");
    match &expr.kind {
        ExprKind::Number(Number::Int(value)) => format!("{value}"),
        ExprKind::Number(Number::Imaginary(value)) => format!("{value:?}j"),
        ExprKind::Number(Number::Float(value)) => format!("{value:?}"),
        ExprKind::Text(text) => format!("{text:?}"),
        ExprKind::Bool(value) => format!("{value}"),
        ExprKind::None => "None".into(),
        ExprKind::Ellipsis => "...".into(),
        ExprKind::Name(name) => name.clone(),
        ExprKind::Qualified { file, name } => format!("<{file}>{name}"),
        ExprKind::List(items) => format!("[{}]", list(items)),
        ExprKind::Unary(op, x) => format!("({} {})", op.op(), show(x)),
        ExprKind::Binary(op, a, b) => format!("({} {} {})", show(a), op.symbol, show(b)),
        ExprKind::Call { callee, arguments } => {
            let arguments: Vec<String> = arguments
                .iter()
                .map(|a| match &a.keyword {
                    Some(keyword) => format!("{keyword}={}", show(&a.value)),
                    None => show(&a.value),
                })
                .collect();
            format!("{}({})", show(callee), arguments.join(", "))
        }
        ExprKind::Attribute { object, name, .. } => format!("{}.{name}", show(object)),
        ExprKind::Index { object, items } => {
            let items: Vec<String> = items.iter().map(show_item).collect();
            format!("{}[{}]", show(object), items.join(", "))
        }
    }
}

fn show_item(item: &Item) -> String {
    let bound = |bound: &Option<Expr>| bound.as_ref().map(show).unwrap_or_default();
    match item {
        Item::At(value) => show(value),
        Item::Ellipsis(_) => "...".into(),
        Item::Slice {
            start, stop, step, ..
        } => format!("{}:{}:{}", bound(start), bound(stop), bound(step)),
    }
}

fn tree(source: &str) -> String {
    let statements = parse(source).unwrap_or_else(|e| panic!("{e}"));
    let shown: Vec<String> = statements
        .iter()
        .map(|s| match &s.name {
            Some(name) => format!("{name} = {}", show(&s.value)),
            None => show(&s.value),
        })
        .collect();
    shown.join("; ")
}

/// The message, and the text that the carets underline.
fn mistake(source: &str) -> (String, String) {
    let text = parse(source).unwrap_err().to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    let marked = lines[1]
        .chars()
        .zip(lines[2].chars())
        .filter(|(_, mark)| *mark == '^')
        .map(|(c, _)| c)
        .collect();
    (lines[0].to_string(), marked)
}

#[test]
fn precedence_is_pythons() {
    for (source, want) in [
        ("a + b * c", "(a + (b * c))"),
        ("(a + b) * c", "((a + b) * c)"),
        ("a - b - c", "((a - b) - c)"),
        ("a ** b ** c", "(a ** (b ** c))"),
        ("-a ** 2", "(negative (a ** 2))"),
        ("2 ** -a", "(2 ** (negative a))"),
        ("-2 ** 2", "(negative (2 ** 2))"),
        ("a < b + 1", "(a < (b + 1))"),
        ("a & b == c", "((a & b) == c)"),
        ("a | b ^ c & d << 1", "(a | (b ^ (c & (d << 1))))"),
        ("not a == b and c or d", "(((logical_not (a == b)) and c) or d)"),
        ("~a & b", "((bitwise_invert a) & b)"),
        ("a // b % c / d", "(((a // b) % c) / d)"),
        ("- - a", "(negative (negative a))"),
        ("a * -b", "(a * (negative b))"),
    ] {
        assert_eq!(tree(source), want, "{source}");
    }
}

#[test]
fn xarrays_idioms_are_read() {
    for (source, want) in [
        (
            "x - x.groupby(\"time.month\").mean()",
            "(x - x.groupby(\"time.month\").mean())",
        ),
        (
            "t.sel(lat=slice(20,60)).mean(['lat','lon'], weights=cos(radians(lat)))",
            "t.sel(lat=slice(20, 60)).mean([\"lat\" \"lon\"], weights=cos(radians(lat)))",
        ),
        ("x[0, 1:5, ::-1, ..., None]", "x[0, 1:5:, ::-1, ..., None]"),
        ("x[a:b]", "x[a:b:]"),
        ("x[f(a:b), -1:]", "x[f(<a>b), -1::]"),
        ("x[:, [0, 2]]", "x[::, [0 2]]"),
        ("x.transpose('lon', ...)", "x.transpose(\"lon\", ...)"),
        ("x.time.month == 7", "(x.time.month == 7)"),
        ("era5:tas + 'my file.nc':tas", "(<era5>tas + <my file.nc>tas)"),
        ("`/data/x y` * 2", "(/data/x y * 2)"),
        ("s = hypot(u, v); s.max()", "s = hypot(u, v); s.max()"),
        ("a = 1\n# a comment\n\nb = (a +\n 2)\n", "a = 1; b = (a + 2)"),
        ("where(x > 0, x, nan)", "where((x > 0), x, nan)"),
        ("x.mean((\"lat\", \"lon\"),)", "x.mean([\"lat\" \"lon\"])"),
        (
            "1e-3 + .5 + 2. + 0x10 + 1_000",
            "((((0.001 + 0.5) + 2.0) + 16) + 1000)",
        ),
        ("-128", "-128"),
        ("None == True", "(None == true)"),
    ] {
        assert_eq!(tree(source), want, "{source}");
    }
}

#[test]
fn mistakes_are_shown_where_they_stand() {
    for (source, message, marked) in [
        ("a + ", "expected a value, found the end of the expression", ""),
        ("a + * b", "expected a value, found `*`", "*"),
        (
            "(a + b",
            "expected an operator or `)`, found the end of the expression",
            "",
        ),
        ("a b", "expected an operator, `;` or the end, found `b`", "b"),
        (
            "x.mean(\"time\"",
            "expected `,` or `)`, found the end of the expression",
            "",
        ),
        ("x.mean(\"time", "this string has no end", "\""),
        (
            "a < b < c",
            "comparisons do not chain here; write (a < b) & (b < c)",
            "< b <",
        ),
        (
            "x.3",
            "expected an operator, `;` or the end, found the number 0.3",
            ".3",
        ),
        ("é + ∂", "`∂` begins nothing here", "∂"),
        ("x[]", "expected an index, a slice or `...`, found `]`", "]"),
        ("f(a=1, a=2)", "the keyword `a` is given twice", "a"),
        (
            "f(a=1, 2)",
            "an argument without a keyword cannot follow one with it",
            "2",
        ),
        ("3(x)", "this cannot be called; only names and methods can", "3"),
        ("1.5.2", "`1.5.2` is no number", "1.5.2"),
        ("a = b = c", "only a plain name can be given a value", "b"),
        ("True = 1", "`True` cannot be given a value", "True"),
        (
            "a if b else c",
            "expected an operator, `;` or the end, found `if`",
            "if",
        ),
        ("", "the expression is empty", ""),
        (
            "x.isel({1: 2})",
            "dictionaries are not part of the language; write keywords, as in x.isel(time=0)",
            "{",
        ),
    ] {
        let (text, under) = mistake(source);
        assert_eq!((text.as_str(), under.as_str()), (message, marked), "{source}");
    }
    let deep = "(".repeat(5000);
    assert!(mistake(&deep).0.contains("nested too deeply"));
    let second = parse("a = 1\nb = +").unwrap_err().to_string();
    assert!(second.contains("\n  b = +\n       ^"), "{second}");
}

#[test]
fn no_text_makes_it_panic() {
    let parts = [
        "x", "(", ")", "[", "]", ":", ",", ".", "=", "1", "\"a\"", "-", "**", "not", "é", "`", "...", ";",
        "\n", "{", "1e", "#",
    ];
    let mut state = 7u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..8 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push_str(parts[(state >> 33) as usize % parts.len()]);
        }
        if let Err(error) = parse(&text) {
            assert!(!error.to_string().is_empty());
        }
    }
}
