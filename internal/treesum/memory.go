package treesum

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// memory is what files held when they were read last, by their names.
type memory struct {
	files map[string]remembered
}

// remembered is a file as it was. Only plain files without attributes are remembered.
type remembered struct {
	mode    fs.FileMode
	facts   [factBytes]byte
	content Sum
}

// A file of memory begins with a word, then come the files, then the digest of all that:
//
//	length of the name · name · mode (4 bytes) · facts (40) · content (32)
const (
	memoryHead = "archbuild files 1\n"
	// mostFiles bounds it.
	mostFiles = 500_000
	mostBytes = 256 << 20
)

// recall reads a file of memory. Whatever is wrong with it, nothing is remembered then.
func recall(name string) *memory {
	m := &memory{}
	if name == "" {
		return m
	}
	info, err := os.Stat(name)
	if err != nil || info.Size() > mostBytes {
		return m
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return m
	}
	if files, err := decode(raw); err == nil {
		m.files = files
	}
	return m
}

func decode(raw []byte) (map[string]remembered, error) {
	at := len(raw) - sha256.Size
	if at < len(memoryHead) || !bytes.HasPrefix(raw, []byte(memoryHead)) || sha256.Sum256(raw[:at]) != Sum(raw[at:]) {
		return nil, errForgotten
	}
	rest := raw[len(memoryHead):at]
	const fixed = 4 + factBytes + sha256.Size
	files := make(map[string]remembered, len(rest)/(fixed+40))
	for len(rest) > 0 {
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) || uint64(len(rest)-n)-size < fixed {
			return nil, errForgotten
		}
		rest = rest[n:]
		name := string(rest[:size])
		rest = rest[size:]
		files[name] = remembered{
			mode: fs.FileMode(binary.LittleEndian.Uint32(rest)), facts: [factBytes]byte(rest[4:]), content: Sum(rest[4+factBytes:]),
		}
		rest = rest[fixed:]
	}
	return files, nil
}

// fill says what a file holds without reading it, if it is as it was.
func (m *memory) fill(e *Entry) bool {
	if m == nil || !e.Mode.IsRegular() || !e.facts.known {
		return false
	}
	was, ok := m.files[e.Name]
	if !ok || was.mode != e.Mode || was.facts != [factBytes]byte(e.facts.append(nil)) {
		return false
	}
	e.Content, e.facts.settled = was.content, true
	return true
}

// keep writes what was read, unless it is what was remembered already. It is a help
// and no more, so nothing is said where it cannot be written.
func (m *memory) keep(name string, entries []Entry) {
	if name == "" {
		return
	}
	var files []Entry
	same := true
	for _, e := range entries {
		if !e.facts.settled || e.Attributes != (Sum{}) || len(files) == mostFiles {
			continue
		}
		files = append(files, e)
		was, ok := m.files[e.Name]
		same = same && ok && was == e.remembered()
	}
	if same && len(files) == len(m.files) {
		now := time.Now()
		_ = os.Chtimes(name, now, now) // it is in use
		return
	}
	_ = write(name, files)
}

func (e Entry) remembered() remembered {
	return remembered{mode: e.Mode, facts: [factBytes]byte(e.facts.append(nil)), content: e.Content}
}

// write writes a file of memory whole or not at all.
func write(name string, files []Entry) error {
	raw := []byte(memoryHead)
	for _, e := range files {
		raw = appendText(raw, e.Name)
		raw = binary.LittleEndian.AppendUint32(raw, uint32(e.Mode))
		raw = e.facts.append(raw)
		raw = append(raw, e.Content[:]...)
	}
	sum := sha256.Sum256(raw)
	raw = append(raw, sum[:]...)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(name), ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(raw)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), name)
}
