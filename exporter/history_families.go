package exporter

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// pastFamilies are the families of a history. OpenMetrics has them one after the
// other, so the samples of each are kept in a temporary file until all of them are
// complete.
type pastFamilies struct {
	dir     string
	byName  map[string]*pastFamily
	samples int64
	err     error // the first one of writing
}

// pastFamily is a family of a history. Its file has records of a number and a value:
// the index of a series and a sample, or newTime and the time of the samples that
// follow, in Unix milliseconds.
type pastFamily struct {
	all              *pastFamilies
	name, kind, help string
	prefixes         [][]byte // the name and the labels of each series
	file             *os.File
	w                *bufio.Writer
	at               int64 // of the last sample
	record           [recordSize]byte
}

const (
	recordSize = 4 + 8
	newTime    = math.MaxUint32
)

func newPastFamilies(tempDir string) (*pastFamilies, error) {
	dir, err := os.MkdirTemp(tempDir, "em-metrics-export-")
	if err != nil {
		return nil, fmt.Errorf("create a folder for temporary files: %w", err)
	}
	return &pastFamilies{dir: dir, byName: map[string]*pastFamily{}}, nil
}

// find returns the family of that name, and creates it if it does not exist.
func (f *pastFamilies) find(name, kind, help string) *pastFamily {
	if known := f.byName[name]; known != nil {
		return known
	}
	created := &pastFamily{all: f, name: name, kind: kind, help: help, w: bufio.NewWriter(io.Discard), at: math.MinInt64}
	f.byName[name] = created
	file, err := os.Create(filepath.Join(f.dir, strconv.Itoa(len(f.byName)))) //nolint:gosec // in a folder of our own
	if err != nil {
		f.fail(err)
		return created
	}
	created.file, created.w = file, bufio.NewWriterSize(file, 1<<16)
	return created
}

func (f *pastFamilies) fail(err error) {
	if err != nil && f.err == nil {
		f.err = fmt.Errorf("write a temporary file: %w", err)
	}
}

// writeTo writes the families, sorted by name, and the end.
func (f *pastFamilies) writeTo(w io.Writer) error {
	for _, name := range slices.Sorted(maps.Keys(f.byName)) {
		if f.err != nil {
			return f.err
		}
		if err := f.byName[name].writeTo(w); err != nil {
			return fmt.Errorf("write the history: %w", err)
		}
	}
	if f.err != nil {
		return f.err
	}
	if _, err := io.WriteString(w, "# EOF\n"); err != nil {
		return fmt.Errorf("write the history: %w", err)
	}
	return nil
}

// writeTo writes the family, and removes its file so that the space can be used for
// the next one.
func (f *pastFamily) writeTo(w io.Writer) (err error) {
	defer func() {
		err = errors.Join(err, f.file.Close(), os.Remove(f.file.Name()))
		f.file = nil
	}()
	if err := f.w.Flush(); err != nil {
		return err
	}
	if _, err := f.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", f.name, escape(f.help), f.name, f.kind); err != nil {
		return err
	}
	return f.writeSamples(w)
}

func (f *pastFamily) writeSamples(w io.Writer) error {
	var at, line []byte
	for r := bufio.NewReaderSize(f.file, 1<<16); ; {
		if _, err := io.ReadFull(r, f.record[:]); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		n, bits := binary.LittleEndian.Uint32(f.record[:]), binary.LittleEndian.Uint64(f.record[4:])
		if n == newTime {
			at = appendTime(at[:0], int64(bits)) //nolint:gosec // as it was written
			continue
		}
		line = append(line[:0], f.prefixes[n]...)
		line = strconv.AppendFloat(line, math.Float64frombits(bits), 'g', -1, 64)
		line = append(line, at...)
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
}

// appendTime appends what follows the value of a sample.
func appendTime(line []byte, ms int64) []byte {
	line = strconv.AppendInt(append(line, ' '), ms/1000, 10)
	if ms %= 1000; ms != 0 {
		line = append(line, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
	}
	return append(line, '\n')
}

// close removes what is left of the temporary files.
func (f *pastFamilies) close() (err error) {
	for _, one := range f.byName {
		if one.file != nil {
			err = errors.Join(err, one.file.Close())
		}
	}
	return errors.Join(err, os.RemoveAll(f.dir))
}

// familySeries is a series of a family.
type familySeries struct {
	family *pastFamily
	index  uint32
}

// series returns a series whose samples have that name, which may differ from that
// of the family.
func (f *pastFamily) series(name string, labels []Label) *familySeries {
	pairs := make([]string, len(labels))
	for n, l := range labels {
		pairs[n] = l.Name + `="` + escape(l.Value) + `"`
	}
	prefix := name
	if len(pairs) > 0 {
		prefix += "{" + strings.Join(pairs, ",") + "}"
	}
	f.prefixes = append(f.prefixes, []byte(prefix+" "))
	return &familySeries{f, uint32(len(f.prefixes) - 1)} //nolint:gosec // far fewer
}

// escape escapes the text of help or of the value of a label.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(text)
}

// write writes a sample. Times must not go back.
func (s *familySeries) write(value float64, at time.Time) {
	if ms := at.UnixMilli(); ms != s.family.at {
		s.family.at = ms
		s.family.write(newTime, uint64(ms)) //nolint:gosec // read back as it is
	}
	s.family.write(s.index, math.Float64bits(value))
	s.family.all.samples++
}

func (f *pastFamily) write(n uint32, bits uint64) {
	binary.LittleEndian.PutUint32(f.record[:], n)
	binary.LittleEndian.PutUint64(f.record[4:], bits)
	if _, err := f.w.Write(f.record[:]); err != nil {
		f.all.fail(err)
	}
}

// prometheusLabels returns attributes as they are named in Prometheus.
func prometheusLabels(attributes []attribute.KeyValue) (labels []Label) {
	for _, a := range attributes {
		labels = append(labels, Label{strings.ReplaceAll(string(a.Key), ".", "_"), a.Value.String()})
	}
	return labels
}

// formatBound formats the bound of a bucket as Prometheus stores it.
func formatBound(bound float64) string {
	if math.IsInf(bound, 1) {
		return "+Inf"
	}
	text := strconv.FormatFloat(bound, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}
