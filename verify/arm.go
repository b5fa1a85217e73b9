package verify

import (
	"bytes"
	"encoding/binary"
	"io"
)

// armWindow is how much before the section headers is kept while a file streams
// by: .ARM.attributes lies there, before the symbols at most.
const armWindow = 8 << 20

// armMaxFile bounds how far into a file its section headers may lie.
const armMaxFile = 1 << 30

const sectionARMAttributes = 0x70000003

// armVersions turns Tag_CPU_arch into the version of the architecture. The
// missing ones are microcontrollers (M profile). Source: "Addenda to, and
// Errata in, the ABI for the Arm Architecture", build attributes.
var armVersions = map[uint64]int{
	1: 4, 2: 4, 3: 5, 4: 5, 5: 5, 6: 6, 7: 6, 8: 6, 9: 6, 10: 7, 14: 8, 15: 8, 18: 8, 19: 8, 20: 8, 22: 9,
}

// readARM adds what the build attributes of a 32-bit ARM file say. They lie near
// its end, so the rest of the file streams by; a file without them, or with
// damaged ones, leaves p as it is. A microcontroller's file is no program.
func readARM(p *program, head []byte, rest io.Reader) (*program, error) {
	le := binary.LittleEndian
	at := int64(le.Uint32(head[32:]))
	count := int64(le.Uint16(head[48:]))
	if at < int64(len(head)) || at > armMaxFile || le.Uint16(head[46:]) != 40 || count == 0 {
		return p, nil
	}
	window, start, err := readWindow(rest, int64(len(head)), at+count*40, armWindow+count*40)
	if err != nil {
		return nil, err
	}
	if int64(len(window)) < at-start+count*40 {
		return p, nil // cut off
	}
	for headers := window[at-start:]; len(headers) >= 40; headers = headers[40:] {
		if le.Uint32(headers[4:]) != sectionARMAttributes {
			continue
		}
		from := int64(le.Uint32(headers[16:])) - start
		to := from + int64(le.Uint32(headers[20:]))
		if from < 0 || to > int64(len(window)) {
			return p, nil
		}
		return applyARM(p, window[from:to]), nil
	}
	return p, nil
}

// readWindow reads up to offset end of a file whose first pos bytes are read
// already and returns the last size bytes before end, with their offset.
func readWindow(r io.Reader, pos, end, size int64) ([]byte, int64, error) {
	start := max(pos, end-size)
	if _, err := io.CopyN(io.Discard, r, start-pos); err != nil {
		if err == io.EOF {
			return nil, start, nil
		}
		return nil, 0, err
	}
	var b bytes.Buffer
	_, err := io.Copy(&b, io.LimitReader(r, end-start))
	return b.Bytes(), start, err
}

func applyARM(p *program, section []byte) *program {
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
