// SPDX-License-Identifier: Apache-2.0
package main

import "fmt"

var sum uint64

//go:noinline
func leaf(n uint64) uint64 {
	for i := uint64(0); i < n; i++ {
		sum += i * i
	}
	return sum
}

//go:noinline
func middle(n uint64) uint64 { return leaf(n) + 1 }

//go:noinline
func outer() uint64 { return middle(200000) + 1 }

func main() {
	fmt.Println("ready")
	for {
		sum += outer()
	}
}
