package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// humanSize is bytes in binary units.
func humanSize(n int64) string {
	units := "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1024, 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}

// some is a list for a sentence, which is cut where it is long.
func some(list []string) string {
	const most = 5
	if more := len(list) - most; more > 0 {
		list = append(list[:most:most], fmt.Sprintf("%d more", more))
	}
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

// jsonText is a JSON string; bytes that are not UTF-8 are replaced.
func jsonText(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""` // a string always encodes
	}
	return string(b)
}
