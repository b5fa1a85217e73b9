package treesum

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// memory is what files held when they were read last.
type memory struct {
	// files are the lines of the file of memory behind each name.
	files map[string]string
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

// lineBytes is how long a line is behind the name.
const lineBytes = 4 + factBytes + sha256.Size

func decode(raw []byte) (map[string]string, error) {
	at := len(raw) - sha256.Size
	if at < len(memoryHead) || !bytes.HasPrefix(raw, []byte(memoryHead)) || sha256.Sum256(raw[:at]) != Sum(raw[at:]) {
		return nil, errForgotten
	}
	begin := len(memoryHead)
	text := string(raw[:at]) // all names and lines are parts of it
	const usual = 40         // bytes of a name
	files := make(map[string]string, len(text)/(lineBytes+usual))
	for begin < at {
		size, n := binary.Uvarint(raw[begin:at])
		if begin += n; n <= 0 || size > uint64(at-begin) || at-begin-int(size) < lineBytes {
			return nil, errForgotten
		}
		end := begin + int(size)
		files[text[begin:end]] = text[end : end+lineBytes]
		begin = end + lineBytes
	}
	return files, nil
}

// fill says what a file holds without reading it, if it is as it was.
func (m *memory) fill(e *Entry) bool {
	if m == nil || !e.Mode.IsRegular() || !e.facts.known {
		return false
	}
	was, ok := m.files[e.Name]
	var is [lineBytes]byte
	if !ok || was[:lineBytes-len(e.Content)] != string(e.appendSeen(is[:0])) {
		return false
	}
	copy(e.Content[:], was[lineBytes-len(e.Content):])
	e.facts.settled, e.filled = true, true
	return true
}

// appendSeen says what has to be as it was.
func (e *Entry) appendSeen(to []byte) []byte {
	return e.facts.append(binary.LittleEndian.AppendUint32(to, uint32(e.Mode)))
}

// keep writes what was read, unless it is what was remembered already. It is a help
// and no more, so nothing is said where it cannot be written.
func (m *memory) keep(name string, entries []*Entry) {
	if name == "" {
		return
	}
	keeps, filled := 0, 0
	for _, e := range entries {
		if e.worthKeeping() {
			keeps++
		}
		if e.filled {
			filled++
		}
	}
	if filled == min(keeps, mostFiles) && filled == len(m.files) {
		now := time.Now()
		_ = os.Chtimes(name, now, now) // it is in use
		return
	}
	_ = write(name, entries)
}

func (e *Entry) worthKeeping() bool { return e.facts.settled && e.Attributes == Sum{} }

// write writes a file of memory whole or not at all.
func write(name string, entries []*Entry) error {
	raw, files := []byte(memoryHead), 0
	for _, e := range entries {
		if e.worthKeeping() && files < mostFiles {
			raw = append(e.appendSeen(appendText(raw, e.Name)), e.Content[:]...)
			files++
		}
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
