package program

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// armWindow bounds how much of a file is kept while it streams by: from its data
// segment on, where Go notes how a program was built and behind which
// .ARM.attributes lies.
const armWindow = 32 << 20

const sectionARMAttributes = 0x70000003

// armVersions turns Tag_CPU_arch into the version of the architecture. The
// missing ones are microcontrollers (M profile). Source: "Addenda to, and
// Errata in, the ABI for the Arm Architecture", build attributes.
var armVersions = map[uint64]int{
	1: 4, 2: 4, 3: 5, 4: 5, 5: 5, 6: 6, 7: 6, 8: 6, 9: 6, 10: 7, 14: 8, 15: 8, 18: 8, 19: 8, 20: 8, 22: 9,
}

// readARM adds what a 32-bit ARM file says about the processor it needs: in its
// build attributes, or in what the Go linker notes, which writes no attributes.
// A file without them, or with damaged ones, leaves p as it is. A
// microcontroller's file is no program: nil.
func readARM(p *Program, head []byte, rest io.Reader) (*Program, error) {
	f := &forward{r: io.MultiReader(bytes.NewReader(head), rest)}
	le := binary.LittleEndian
	at, count := int64(le.Uint32(head[32:])), int64(le.Uint16(head[48:]))
	start := dataSegment(head)
	var headers []byte
	if at < start { // the Go linker puts section headers first, others last
		headers = f.read(at, count*40)
		start = max(start, f.pos)
	}
	window := f.read(start, armWindow)
	if from := at - start; headers == nil && from >= 0 && from < int64(len(window)) {
		headers = window[from:min(from+count*40, int64(len(window)))]
	}
	if f.err != nil {
		return nil, f.err
	}
	if section := armSection(window, start, headers); section != nil {
		return applyARM(p, section), nil
	}
	if version := goARM(window); version > 0 {
		p.ARM = version
	}
	return p, nil
}

// dataSegment is where the first writable segment begins in the file, by the
// program headers as far as head holds them; else 0.
func dataSegment(head []byte) int64 {
	le := binary.LittleEndian
	at, count := int64(le.Uint32(head[28:])), int64(le.Uint16(head[44:]))
	if le.Uint16(head[42:]) != 32 {
		return 0
	}
	for i := range count {
		from := at + i*32
		if from+32 > int64(len(head)) {
			return 0
		}
		const load, writable = 1, 2
		if h := head[from:]; le.Uint32(h) == load && le.Uint32(h[24:])&writable != 0 {
			return int64(le.Uint32(h[4:]))
		}
	}
	return 0
}

// forward reads pieces of a stream in the order they lie there. The end of the
// stream is no error: pieces are then shorter.
type forward struct {
	r   io.Reader
	pos int64
	err error
}

func (f *forward) read(start, size int64) []byte {
	var b bytes.Buffer
	f.copy(io.Discard, start-f.pos)
	f.copy(&b, size)
	return b.Bytes()
}

func (f *forward) copy(w io.Writer, n int64) {
	if f.err != nil {
		return
	}
	copied, err := io.CopyN(w, f.r, n)
	f.pos += copied
	if !errors.Is(err, io.EOF) {
		f.err = err
	}
}

// armSection finds .ARM.attributes by the section headers; window begins at
// offset start of the file.
func armSection(window []byte, start int64, headers []byte) []byte {
	le := binary.LittleEndian
	for ; len(headers) >= 40; headers = headers[40:] {
		if le.Uint32(headers[4:]) != sectionARMAttributes {
			continue
		}
		from := int64(le.Uint32(headers[16:])) - start
		to := from + int64(le.Uint32(headers[20:]))
		if from >= 0 && to <= int64(len(window)) {
			return window[from:to]
		}
	}
	return nil
}

// goARM finds GOARM in what the Go linker notes: a magic word, 32 bytes with it,
// then two texts with their lengths, the version and the build's settings
// (format of debug/buildinfo, Go 1.18 and later). 0 means it is not there.
func goARM(window []byte) int {
	_, b, ok := bytes.Cut(window, []byte("\xff Go buildinf:"))
	const inline = 2
	if !ok || len(b) < 18 || b[1]&inline == 0 {
		return 0
	}
	b = b[18:]
	for range 2 {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return 0
		}
		text := b[size : size+int(n)]
		if _, setting, ok := bytes.Cut(text, []byte("\nbuild\tGOARM=")); ok && len(setting) > 0 {
			if v := setting[0]; v >= '5' && v <= '7' {
				return int(v - '0')
			}
		}
		b = b[size+int(n):]
	}
	return 0
}

func applyARM(p *Program, section []byte) *Program {
	tags := armTags(section)
	if arch, ok := tags[6]; ok {
		version, known := armVersions[arch]
		if !known || tags[7] == 'M' {
			return nil
		}
		p.ARM = version
	}
	if tags[28] == 1 { // Tag_ABI_VFP_args: passed in VFP registers
		p.HardFloat = true
	}
	return p
}

// armTags reads the numbers of the file's own "aeabi" attributes.
func armTags(section []byte) map[uint64]uint64 {
	tags := map[uint64]uint64{}
	if len(section) == 0 || section[0] != 'A' {
		return tags
	}
	for b := section[1:]; len(b) >= 4; {
		size := int(binary.LittleEndian.Uint32(b))
		if size < 4 || size > len(b) {
			return tags
		}
		vendor, body, ok := bytes.Cut(b[4:size], []byte{0})
		if ok && string(vendor) == "aeabi" && len(body) >= 5 && body[0] == 1 {
			if n := int(binary.LittleEndian.Uint32(body[1:])); n >= 5 && n <= len(body) {
				readTags(body[5:n], tags)
			}
		}
		b = b[size:]
	}
	return tags
}

// readTags reads pairs of tag and value. Tags 4, 5 and odd ones above 32 have
// texts; 32 has a number and a text.
func readTags(b []byte, tags map[uint64]uint64) {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return
		}
		b = b[n:]
		isText := tag == 4 || tag == 5 || (tag > 32 && tag%2 == 1)
		if !isText {
			value, n := binary.Uvarint(b)
			if n <= 0 {
				return
			}
			tags[tag] = value
			b = b[n:]
		}
		if isText || tag == 32 {
			_, after, ok := bytes.Cut(b, []byte{0})
			if !ok {
				return
			}
			b = after
		}
	}
}
