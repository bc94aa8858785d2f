// SPDX-License-Identifier: Apache-2.0
use std::hint::black_box;

#[inline(never)]
fn leaf(n: u64) -> u64 {
    (0..n).fold(0, |sum, i| black_box(sum + i * i % 7))
}

#[inline(never)]
fn middle(n: u64) -> u64 {
    black_box(leaf(n)) + 1
}

#[inline(never)]
fn outer() -> u64 {
    black_box(middle(200_000)) + 1
}

fn main() {
    println!("ready");
    loop {
        black_box(outer());
    }
}
