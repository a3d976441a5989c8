// Which part of a contraction a workgroup sums: a tile of the result over a run of the summed axis. The
// inner loops begin with it.
//
// Eight rows of tiles are taken together, column by column, so that what they read stays in the cache.
    let number = group.y * groups.x + group.x;
    let tiles_down = p[1];
    let tiles_across = p[2];
    let tiles = tiles_down * tiles_across;
    if (number >= p[0]) { return; }
    let splits = p[3]; // planes of the result per plane of the factors
    let share = p[4]; // slabs of one of them
    let slabs = p[5]; // slabs of all
    let a_row = p[7];
    let b_row = p[10];
    let plane = number / tiles;
    let tile = number % tiles;
    let band = tile / (8u * tiles_across) * 8u;
    let height = min(8u, tiles_down - band);
    let within = tile - band * tiles_across;
    let tile_row = band + within % height;
    let tile_col = within / height;
    let batch = plane / splits;
    let first = plane % splits * share;
    let count = min(share, slabs - first);
    let a_base = p[6] + batch * p[8] + first * {{DEPTH}}u * a_row + tile_row * {{ROWS}}u;
    let b_base = p[9] + batch * p[11] + first * {{DEPTH}}u * b_row + tile_col * {{COLS}}u;
