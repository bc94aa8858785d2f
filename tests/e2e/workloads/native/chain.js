// SPDX-License-Identifier: Apache-2.0
'use strict';
const leaf = (n) => { let sum = 0; for (let i = 0; i < n; i++) sum += Math.sqrt(i); return sum; };
function middle(n) { return leaf(n) + 1; }
function outer() { return middle(200000) + 1; }
function main() {
  console.log('ready');
  for (let sum = 0;;) sum += outer();
}
main();
