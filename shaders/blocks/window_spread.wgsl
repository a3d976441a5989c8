// The state of the variance of a window's elements: their mean and the sum of squared differences
// from it, by the formulas of Welford (1962) and of Chan, Golub and LeVeque (1979).

struct State {
    mean: f64,
    squares: f64,
    n: u32,
}

fn nothing() -> State {
    return State(0.0lf, 0.0lf, 0u);
}

fn push(state: State, x: {{X}}) -> State {
    let wide = f64(x);
    let n = state.n + 1u;
    let apart = tw_opaque_f64(wide - state.mean);
    let mean = tw_opaque_f64(state.mean + apart * (1.0lf / f64(n)));
    return State(mean, state.squares + apart * (wide - mean), n);
}

fn merge(a: State, b: State) -> State {
    // With nothing on one side the difference means nothing, and may overflow.
    if (b.n == 0u) {
        return a;
    }
    if (a.n == 0u) {
        return b;
    }
    let share = f64(b.n) / f64(a.n + b.n);
    let apart = b.mean - a.mean;
    let squares = a.squares + b.squares + apart * apart * (f64(a.n) * share);
    return State(a.mean + apart * share, squares, a.n + b.n);
}

fn finish(state: State) -> {{Y}} {
    // Parameter 14: delta degrees of freedom.
    if (state.n <= p[14]) {
        return {{NAN}};
    }
    let n = f64(state.n - p[14]);
    let variance = {{VALUE}};
    let value = {{ROOT}};
    return {{RESULT}};
}
