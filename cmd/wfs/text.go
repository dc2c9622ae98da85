package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

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
