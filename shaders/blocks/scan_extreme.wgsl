// The state of a running maximum or minimum: the first of the best.

struct State {
    best: {{X}},
}

fn nothing() -> State {
    return State({{NOTHING}});
}

fn take(state: State, x: {{X}}) -> State {
    let best = state.best;
    return State(select(x, best, {{KEEP}}));
}

fn join(a: State, b: State) -> State {
    return take(a, b.best);
}

fn exact(state: State) -> bool {
    return true;
}

fn result(state: State) -> {{Y}} {
    return state.best;
}

fn receive(column: u32, columns: u32) -> State {
    return State(received[column]);
}

fn hand_on(column: u32, columns: u32, state: State) {
    handed[column] = state.best;
}
