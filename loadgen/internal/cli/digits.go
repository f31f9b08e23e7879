package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// grouped writes a whole number with commas.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// three writes a number with three significant digits, and above 0.0001 without an exponent.
func three(x float64) string {
	switch magnitude := math.Abs(x); {
	case magnitude == 0:
		return "0"
	case magnitude >= 999.5:
		scale := math.Pow10(int(math.Log10(magnitude)) - 2)
		return grouped(int64(math.Round(x/scale) * scale))
	}
	return strings.TrimSuffix(fmt.Sprintf("%#.3g", x), ".")
}

// scaled writes a number with the first unit in which it has three digits before the point, or the last.
func scaled(x, step float64, units ...string) string {
	for math.Abs(x) >= 999.5 && len(units) > 1 {
		x, units = x/step, units[1:]
	}
	return three(x) + " " + units[0]
}

// span writes nanoseconds for people.
func span(ns int64) string {
	if ns == 0 {
		return "0"
	}
	return scaled(float64(ns), 1000, "ns", "µs", "ms", "s")
}

// size writes bytes for people.
func size(bytes int64) string {
	if bytes < 1000 {
		return grouped(bytes) + " B"
	}
	return scaled(float64(bytes)/1024, 1024, "KiB", "MiB", "GiB")
}

func duration(seconds float64) time.Duration { return time.Duration(math.Round(seconds * 1e9)) }

// plural writes a number and its word.
func plural(n int64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	if stem, ok := strings.CutSuffix(word, "y"); ok {
		return grouped(n) + " " + stem + "ies"
	}
	return grouped(n) + " " + word + "s"
}

// exact writes a number that somebody gave, as it was given.
func exact(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e15 {
		return grouped(int64(x))
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}
