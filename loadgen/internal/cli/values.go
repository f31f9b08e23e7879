package cli

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var suffixes = map[string]float64{"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}

var grouping = regexp.MustCompile(`^[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?$`)

// dotted is ten thousand in half of Europe, and ten elsewhere.
var dotted = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{3})+$`)

// parseNumber reads 10000, 10,000, 10k, 1.5k, 2M or 64Ki: a finite number that is not negative.
func parseNumber(text string) (float64, error) {
	digits := strings.TrimRight(text, "kKMGi")
	factor, known := suffixes[text[len(digits):]]
	if grouping.MatchString(digits) {
		digits = strings.ReplaceAll(digits, ",", "")
	}
	number, err := strconv.ParseFloat(digits, 64)
	number *= factor
	switch tooLarge := math.IsInf(number, 0); {
	// ParseFloat also takes hexadecimal, underscores, Inf and NaN, which nobody means here.
	case !known || strings.Trim(digits, "0123456789.eE+-") != "" || err != nil && !tooLarge:
		return 0, fmt.Errorf("%q is not a number such as 10000, 10k, 1.5k or 2M", text)
	case tooLarge:
		return 0, fmt.Errorf("%s is too large", text)
	case math.Signbit(number):
		return 0, fmt.Errorf("%s is negative", text)
	}
	return number, nil
}

// parseWhole reads a number that must be whole and between low and high.
func parseWhole(text string, low, high int64) (int64, error) {
	number, err := parseNumber(text)
	switch {
	case dotted.MatchString(text):
		few, _, _ := strings.Cut(text, ".")
		return 0, fmt.Errorf("%s could be %s or %s: write the one that you mean", text, few, strings.ReplaceAll(text, ".", ""))
	case err != nil:
		return 0, err
	case number != math.Trunc(number):
		return 0, fmt.Errorf("%s is not a whole number", text)
	case number < float64(low) || number > float64(high):
		return 0, fmt.Errorf("%s is not between %s and %s", text, grouped(low), grouped(high))
	}
	return int64(number), nil
}

// parseDuration reads a Go duration, or seconds where there is no unit.
func parseDuration(text string, low, high time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || strings.Trim(text, "0123456789.eE+-") != "" || math.Abs(seconds) > 1e9 {
			return 0, fmt.Errorf("%q is not a duration such as 10s, 1m30s, 250ms or 10 (seconds)", text)
		}
		d = time.Duration(math.Round(seconds * 1e9))
	}
	if d < low || d > high {
		return 0, fmt.Errorf("%s is not between %s and %s", text, low, high)
	}
	return d, nil
}

// parseCPUs reads a list such as 0-3,6.
func parseCPUs(text string) ([]int, error) {
	wrong := fmt.Errorf("%q is not a list of processors such as 0-3,6", text)
	var cpus []int
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		a, errA := strconv.ParseUint(first, 10, 10)
		b, errB := strconv.ParseUint(last, 10, 10)
		if errA != nil || errB != nil || a > b {
			return nil, wrong
		}
		for cpu := int(a); cpu <= int(b); cpu++ {
			if slices.Contains(cpus, cpu) {
				return nil, fmt.Errorf("%s names processor %d twice", text, cpu)
			}
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// nearest answers a hint at the candidate most like a misspelt name, or nothing where none is like it.
func nearest(name string, candidates []string) string {
	best, bestDistance := "", min(len(name), 1+max(2, len(name)/3))
	for _, candidate := range candidates {
		if d := distance(name, candidate); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// distance is how many letters must be put, dropped or changed to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
