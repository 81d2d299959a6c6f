package rules

import (
	"strconv"
	"unicode/utf8"
)

// maxExcerpt is how many bytes of a text that a client sent an error repeats at
// most.
const maxExcerpt = 60

// Excerpt returns the first 60 bytes of a text for an error message, or fewer so
// that no character is cut in two. An ellipsis marks what was left out.
func Excerpt(text string) string {
	if len(text) <= maxExcerpt {
		return text
	}
	end := maxExcerpt
	for end > maxExcerpt-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// Quote returns the excerpt of a text in quotes, with what cannot be printed
// escaped.
func Quote(text string) string { return strconv.Quote(Excerpt(text)) }
