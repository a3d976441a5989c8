// The state of a sum or product of integers modulo 2^64.

struct State {
    total: u64,
}

fn nothing() -> State {
    return State({{NOTHING}});
}

fn take(state: State, x: {{X}}) -> State {
    return State(state.total {{SIGN}} {{COUNTED}});
}

fn join(a: State, b: State) -> State {
    return State(a.total {{SIGN}} b.total);
}

fn exact(state: State) -> bool {
    return true;
}

fn result(state: State) -> {{Y}} {
    let total = state.total;
    return {{RESULT}};
}

fn receive(column: u32, columns: u32) -> State {
    return State(received[column]);
}

fn hand_on(column: u32, columns: u32, state: State) {
    handed[column] = state.total;
}
