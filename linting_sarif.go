package archbuild

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/url"
	"path/filepath"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/lint"
)

// SARIF is the format in which code scanning takes findings of any tool: OASIS,
// "Static Analysis Results Interchange Format" 2.1.0. Only what is needed of it is here.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
		Help             sarifText `json:"help"`
		HelpURI          string    `json:"helpUri"`
		Default          struct {
			Level string `json:"level"`
		} `json:"defaultConfiguration"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region struct {
			StartLine int `json:"startLine"`
		} `json:"region"`
	}
)

const (
	homepage    = "https://github.com/archbuild/archbuild"
	sarifSchema = "https://json.schemastore.org/sarif-2.1.0.json"
)

// WriteSARIF prints the findings for code scanning.
func (l Linted) WriteSARIF(w io.Writer, version string) error {
	run := sarifRun{ColumnKind: "utf16CodeUnits", Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "archbuild", Version: version, InformationURI: homepage}
	index := map[string]int{}
	for i, r := range lint.Rules {
		page, err := ExplainRule(r.ID)
		if err != nil {
			return err
		}
		rule := sarifRule{ID: r.ID, ShortDescription: sarifText{Text: r.Title}, Help: sarifText{page, page}, HelpURI: homepage + "/blob/main/docs/lint/" + r.ID + ".md"}
		rule.Default.Level = sarifLevel(r.Severity)
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, rule)
		index[r.ID] = i
	}
	for _, f := range l.Findings {
		var at sarifPhysical
		at.Artifact.URI = sarifPath(f.File)
		at.Region.StartLine = f.Line
		text := ui.Clean(f.Message)
		if f.Fix != "" {
			text += ". " + ui.Clean(f.Fix)
		}
		run.Results = append(run.Results, sarifResult{
			RuleID: f.ID, RuleIndex: index[f.ID], Level: sarifLevel(f.Severity), Message: sarifText{Text: text}, Locations: []sarifLocation{{at}},
			// Not the line: a finding that moves stays the one that it was.
			Fingerprints: map[string]string{"archbuild/v1": fmt.Sprintf("%x", sha256.Sum256([]byte(f.ID+"\x00"+f.File+"\x00"+f.Message)))[:32]},
		})
	}
	return ui.WriteJSON(w, sarifLog{sarifSchema, "2.1.0", []sarifRun{run}})
}

// sarifPath is a file as a URI: relative to the folder that the tool was run in, or whole.
func sarifPath(file string) string {
	u := url.URL{Path: filepath.ToSlash(filepath.Clean(file))}
	if filepath.IsAbs(file) {
		u.Scheme = "file"
	}
	return u.String()
}

func sarifLevel(s lint.Severity) string {
	if s == lint.Info {
		return "note"
	}
	return string(s)
}
