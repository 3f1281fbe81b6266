package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// sizeUnits are the units of a size in bytes, by their spelling.
var sizeUnits = map[string]float64{
	"B":  1,
	"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
}

// parseSize reads a number of bytes with its unit. Its error says what would
// be right.
func parseSize(s string) (int64, error) {
	number, unit := splitUnit(s)
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || value < 0 {
		return 0, errors.New(`write a number and its unit, such as "128MiB"`)
	}
	factor, ok := sizeUnits[unit]
	switch {
	case unit == "":
		return 0, fmt.Errorf(`it has no unit; write %q, or another of B, KB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024)`, number+"MiB")
	case !ok:
		if likely := likelySizeUnit(unit); likely != "" {
			return 0, fmt.Errorf("there is no unit %q; did you mean %q?", unit, number+likely)
		}
		return 0, fmt.Errorf("there is no unit %q; units are B, KB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024)", unit)
	}
	bytes := math.Round(value * factor)
	if bytes >= 1<<53 {
		return 0, errors.New("it is more than a machine has")
	}
	return int64(bytes), nil
}

// likelySizeUnit guesses what a unit in another spelling means: "mb", "M",
// "Mi", "megabytes".
func likelySizeUnit(unit string) string {
	for known := range sizeUnits {
		if strings.EqualFold(unit, known) {
			return known
		}
	}
	switch first := strings.ToUpper(unit[:1]); first {
	case "K", "M", "G", "T":
		return first + "iB"
	case "B":
		return "B"
	}
	return ""
}

// parseDuration reads a duration such as "1h30m". Its error says what would be
// right.
func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err == nil && d < 0 {
		return 0, errors.New(`it is negative; write a duration such as "30s"`)
	}
	if err == nil && s == "0" {
		return 0, errors.New(`it has no unit; write "0s"`)
	}
	if err == nil {
		return d, nil
	}
	number, unit := splitUnit(s)
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || value < 0 {
		return 0, errors.New(`write a number and its unit, such as "50ms", "30s", "10m" or "1h30m"`)
	}
	if unit == "" {
		return 0, fmt.Errorf("it has no unit; write %q for seconds, or another of ms, s, m, h", number+"s")
	}
	likely := ""
	switch word := strings.ToLower(unit); {
	case word == "ms", strings.HasPrefix(word, "mil"), strings.HasPrefix(word, "msec"):
		likely = number + "ms"
	case strings.HasPrefix(word, "s"):
		likely = number + "s"
	case strings.HasPrefix(word, "m") && !strings.HasPrefix(word, "mo"):
		likely = number + "m"
	case strings.HasPrefix(word, "h"):
		likely = number + "h"
	case strings.HasPrefix(word, "d"):
		likely = strconv.FormatFloat(value*24, 'f', -1, 64) + "h"
	default:
		return 0, fmt.Errorf("there is no unit %q; units are ms, s, m, h", unit)
	}
	return 0, fmt.Errorf("there is no unit %q; did you mean %q?", unit, likely)
}

// splitUnit splits "128 MiB" into "128" and "MiB".
func splitUnit(s string) (number, unit string) {
	s = strings.TrimSpace(s)
	i := strings.IndexFunc(s, unicode.IsLetter)
	if i < 0 {
		return s, ""
	}
	return strings.TrimSpace(s[:i]), s[i:]
}

// formatSize writes a size as parseSize reads it, in the unit that takes the
// smallest number without a fraction.
func formatSize(bytes int64) string {
	least, best := bytes, "B"
	for unit, factor := range sizeUnits {
		if n := bytes / int64(factor); bytes%int64(factor) == 0 && n < least {
			least, best = n, unit
		}
	}
	return fmt.Sprint(least, best)
}

// formatDuration writes a duration as a person would: "10m", not "10m0s".
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
