package bake

import (
	"bytes"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/archbuild/archbuild/project"
)

// What a file may ask for. The parser and the evaluator call themselves for each step inwards, and a program whose
// stack is full cannot be saved: so the steps are counted before. Real files have a hundredth of this.
const (
	maxTargets = 10_000
	maxDepth   = 200
	maxTokens  = 200_000
)

// bounded says whether a file is small enough to be parsed.
func bounded(f file, isJSON bool) error {
	if !isJSON {
		return boundedTokens(f.name, f.data, hcl.InitialPos, hclsyntax.LexConfig)
	}
	depth, pos := 0, hcl.InitialPos
	for i := 0; i < len(f.data); i++ {
		switch f.data[i] {
		case '\n':
			pos.Line++
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			end := i + stringEnd(f.data[i:])
			text := f.data[min(i+1, end):end]
			// A string is a template of HCL, read when it is evaluated.
			if bytes.Contains(text, []byte("${")) || bytes.Contains(text, []byte("%{")) {
				if err := boundedTokens(f.name, text, pos, hclsyntax.LexTemplate); err != nil {
					return err
				}
			}
			i = end
		}
		if depth > maxDepth {
			return tooDeep(project.Place{File: f.name, Line: pos.Line})
		}
	}
	return nil
}

// stringEnd is where a string of JSON ends that begins there: at its quote, or behind the text.
func stringEnd(data []byte) int {
	for i := 1; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"', '\n':
			return i
		}
	}
	return len(data) - 1
}

type lexer func(src []byte, name string, start hcl.Pos) (hclsyntax.Tokens, hcl.Diagnostics)

// boundedTokens counts how deep brackets and templates are nested, and the operators that stand one in another.
func boundedTokens(name string, data []byte, start hcl.Pos, lex lexer) error {
	tokens, _ := lex(data, name, start)
	if len(tokens) > maxTokens {
		return &Error{Place: placeOf(name), Text: fmt.Sprintf("the bake file has %d words and signs; %d can be read", len(tokens), maxTokens), Help: "split it into several projects"}
	}
	depth, run, questions := 0, 0, 0
	for _, t := range tokens {
		run++
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc,
			hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
			depth--
		case hclsyntax.TokenQuestion:
			questions++
		}
		if t.Type != hclsyntax.TokenBang && t.Type != hclsyntax.TokenMinus {
			run = 0
		}
		if depth > maxDepth || run > maxDepth || questions > maxTokens/20 {
			return tooDeep(at(t.Range))
		}
	}
	return nil
}

func tooDeep(at project.Place) error {
	return &Error{Place: at, Text: fmt.Sprintf("what stands here is nested more than %d deep", maxDepth), Help: "write it flatter"}
}

func placeOf(name string) project.Place { return project.Place{File: name} }

// countedBody is the body of a file, or of a target in it. All of one file share a count of the targets
// that their matrices may still make, because a matrix of a few lines can ask for millions.
type countedBody struct {
	hcl.Body
	left *int
}

// PartialContent hands the count to the blocks.
func (b *countedBody) PartialContent(schema *hcl.BodySchema) (*hcl.BodyContent, hcl.Body, hcl.Diagnostics) {
	content, rest, diags := b.Body.PartialContent(schema)
	for _, block := range content.Blocks {
		if block.Type == "target" {
			block.Body = &countedBody{block.Body, b.left}
		}
	}
	return content, rest, diags
}

// take counts so many targets; false says that there are too many.
func take(body hcl.Body, count int) bool {
	b, ok := body.(*countedBody)
	if !ok {
		return count <= maxTargets
	}
	*b.left -= count
	return *b.left >= 0
}
