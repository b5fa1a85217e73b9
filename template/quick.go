package template

import (
	"strings"

	"github.com/distribution/reference"
)

// Most words of most Dockerfiles are simple. What is read here without
// BuildKit's lexer and without expressions means the same; whatever is not
// simple goes the long way.

// CheckName tells what is wrong with the name of an image, or returns nil.
func CheckName(text string) error {
	if isSimpleName(text) {
		return nil
	}
	_, err := reference.ParseNormalizedNamed(text)
	return err
}

// isSimpleName accepts what surely is the name of an image: lower-case
// components with single separators inside, and a tag.
func isSimpleName(text string) bool {
	if len(text) == 0 || len(text) >= 64 {
		return false
	}
	inside := false // a component, behind a letter or digit
	for i := range len(text) {
		switch ch := text[i]; {
		case ch >= 'a' && ch <= 'z' || ch >= '0' && ch <= '9':
			inside = true
		case !inside:
			return false
		case ch == '.' || ch == '-' || ch == '_' || ch == '/':
			inside = false
		case ch == ':':
			return isTag(text[i+1:])
		default:
			return false
		}
	}
	return inside
}

// isNameText tells whether a text has nothing but the letters, digits and signs
// of image names, and begins with none of the signs.
func isNameText(text string) bool {
	for i := range len(text) {
		ch := text[i]
		letter := ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= '0' && ch <= '9'
		if !letter && (i == 0 || strings.IndexByte("._-/:@", ch) < 0) {
			return false
		}
	}
	return text != ""
}

func isTag(text string) bool {
	for i := range len(text) {
		ch := text[i]
		letter := ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= '0' && ch <= '9' || ch == '_'
		if !letter && (i == 0 || ch != '.' && ch != '-') {
			return false
		}
	}
	return text != ""
}

// simple replaces $NAME and ${NAME} in a word that holds nothing else to
// replace, if get knows all the names.
func simple(text string, escape byte, get func(string) (string, bool)) (string, bool) {
	var b strings.Builder
	for {
		plain, rest, more := strings.Cut(text, "$")
		if !isPlain(plain, escape) {
			return "", false
		}
		if !more && b.Len() == 0 {
			return plain, true
		}
		b.WriteString(plain)
		if !more {
			return b.String(), true
		}
		braces := strings.HasPrefix(rest, "{")
		if braces {
			rest = rest[1:]
		}
		name := variableName(rest)
		text = rest[len(name):]
		if braces {
			if !strings.HasPrefix(text, "}") {
				return "", false
			}
			text = text[1:]
		}
		value, ok := get(name)
		if !ok || b.Len()+len(value) > longest {
			return "", false
		}
		if text == "" && b.Len() == 0 {
			return value, true
		}
		b.WriteString(value)
	}
}

// onlyNames tells whether a word holds plain text, $NAME and ${NAME} alone, and
// at least one of these two.
func onlyNames(text string, escape byte) bool {
	_, ok := simple(text, escape, func(name string) (string, bool) { return "", name != "" })
	return ok && strings.Contains(text, "$")
}

// variableName is the name at the beginning of a text, of ASCII letters alone;
// empty when there is none.
func variableName(text string) string {
	for i := range len(text) {
		ch := text[i]
		letter := ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch == '_'
		if !letter && (i == 0 || ch < '0' || ch > '9') {
			return text[:i]
		}
	}
	return text
}
