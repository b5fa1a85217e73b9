package spec

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"

	"gopkg.in/yaml.v3"
)

// The YAML library tells places in the text of its errors only, and none at all
// on the first line.
var (
	syntaxForm = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)
	// grammarForm are the messages of its parser, whose lines count from 0; those
	// of its scanner count from 1 (yaml.v3 3.0.1, decode.go, parser.fail).
	grammarForm = regexp.MustCompile(`^(did not find expected (',|'-|<|key|node content)|found (duplicate|incompatible|undefined))`)
)

// syntax takes an error of the YAML library apart.
func syntax(err error) (line int, message string) {
	parts := syntaxForm.FindStringSubmatch(err.Error())
	if parts == nil {
		return 0, err.Error()
	}
	line, _ = strconv.Atoi(parts[1])
	return line, parts[2]
}

// locate finds the line of a syntax error: that of the construct that is not
// well-formed. The same text, one line further down, fails with a line in any case.
func locate(source []byte, err error) (text, string) {
	_, message := syntax(err)
	line, again := syntax(firstError(append([]byte("\n"), source...)))
	switch {
	case again != message || line == 0:
		return text{}, message
	case grammarForm.MatchString(message):
		return text{line: line}, message
	}
	return text{line: line - 1}, message
}

func firstError(source []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(source))
	for {
		var doc yaml.Node
		if err := decoder.Decode(&doc); err != nil {
			if errors.Is(err, io.EOF) {
				return errors.New("no error")
			}
			return err
		}
	}
}
