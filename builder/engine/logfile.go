package engine

import (
	"os"
	"sync"

	"github.com/sirupsen/logrus"
)

// maxLog is where engine.log is cut.
const maxLog = 10 << 20

// boundedLog writes to engine.log, which is opened for appending, and starts it
// anew when it has grown to its limit.
type boundedLog struct {
	mu   sync.Mutex
	file *os.File
	size int64
}

func (b *boundedLog) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.size+int64(len(p)) > maxLog {
		if err := b.file.Truncate(0); err == nil {
			b.size = 0
		}
	}
	n, err := b.file.Write(p)
	b.size += int64(n)
	return n, err
}

// boundLog sends what BuildKit logs to standard error, which is engine.log. The
// caller holds the state lock: nobody else writes there.
func boundLog() {
	log := &boundedLog{file: os.Stderr}
	if info, err := os.Stderr.Stat(); err == nil {
		log.size = info.Size()
	}
	logrus.SetOutput(log)
	logrus.SetFormatter(&logrus.TextFormatter{FullTimestamp: true, DisableColors: true, TimestampFormat: "2006-01-02T15:04:05.000Z07:00"})
}
