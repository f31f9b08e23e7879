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
	sign := ""
	if n < 0 {
		sign, text = "-", text[1:]
	}
	var b strings.Builder
	for i, digit := range text {
		if i > 0 && (len(text)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return sign + b.String()
}

// three writes a number with three significant digits and no exponent.
func three(x float64) string {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return fmt.Sprint(x)
	}
	places := 2 - int(math.Floor(math.Log10(math.Abs(x))))
	if places < 0 {
		scale := math.Pow10(-places)
		return grouped(int64(math.Round(x/scale) * scale))
	}
	// Rounding may carry into another digit: 9.996 is 10.0.
	if text := strconv.FormatFloat(x, 'f', places, 64); len(strings.TrimLeft(strings.Replace(text, ".", "", 1), "-0")) <= 3 || places == 0 {
		return text
	}
	return strconv.FormatFloat(x, 'f', places-1, 64)
}

// span writes nanoseconds for people: 3 digits and the unit that suits.
func span(ns int64) string {
	x := float64(ns)
	switch magnitude := math.Abs(x); {
	case magnitude == 0:
		return "0"
	case magnitude < 999.5:
		return three(x) + " ns"
	case magnitude < 999.5e3:
		return three(x/1e3) + " µs"
	case magnitude < 999.5e6:
		return three(x/1e6) + " ms"
	}
	return three(x/1e9) + " s"
}

// size writes bytes for people.
func size(bytes int64) string {
	if bytes < 1000 {
		return grouped(bytes) + " B"
	}
	x := float64(bytes) / 1024
	for _, unit := range []string{"KiB", "MiB"} {
		if x < 1000 {
			return three(x) + " " + unit
		}
		x /= 1024
	}
	return three(x) + " GiB"
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
