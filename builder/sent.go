package builder

import (
	"strings"
	"sync/atomic"

	"github.com/archbuild/archbuild/builder/guard"
	"github.com/moby/buildkit/session/filesync"
	fstypes "github.com/tonistiigi/fsutil/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// Sent is what a node got of the context and of the named ones that are folders, so far.
// What it has from earlier runs it does not ask for again. Dockerfiles do not count.
type Sent struct {
	// Contents are the bytes of files, Files how many those are.
	Contents int64 `json:"contents"`
	Files    int64 `json:"files"`
	// Metadata are the bytes that tell of all files: names, sizes, times. A node is told
	// anew in each session, and once more for each set of ignored files.
	Metadata int64 `json:"metadata"`
	// Images are the bytes of images of this run that others stand on: what the node had is not sent.
	Images int64 `json:"images,omitempty"`
}

// Sent can be asked for at any time.
func (s *Session) Sent() Sent {
	sent := Sent{Contents: s.sent.contents.Load(), Files: s.sent.files.Load(), Metadata: s.sent.metadata.Load()}
	if s.handed != nil {
		sent.Images = s.handed.Read()
	}
	return sent
}

// counter serves folders, and counts what leaves.
type counter struct {
	filesync.FileSyncServer
	refused                   *guard.Book
	contents, files, metadata atomic.Int64
}

func newCounter(from filesync.DirSource, refused *guard.Book) *counter {
	c := &counter{refused: refused}
	c.FileSyncServer, _ = filesync.NewFSSyncProvider(from).(filesync.FileSyncServer)
	return c
}

// Register is asked by the session.
func (c *counter) Register(server *grpc.Server) { filesync.RegisterFileSyncServer(server, c) }

// DiffCopy sends a folder.
func (c *counter) DiffCopy(stream filesync.FileSync_DiffCopyServer) error {
	asked, _ := metadata.FromIncomingContext(stream.Context())
	if name := asked.Get("dir-name"); len(name) > 0 && isDockerfilePlace(name[0]) {
		return c.FileSyncServer.DiffCopy(stream)
	}
	return c.FileSyncServer.DiffCopy(counted{stream, c})
}

// counted is a stream of packets.
type counted struct {
	filesync.FileSync_DiffCopyServer
	to *counter
}

// SendMsg is how fsutil sends: a packet of each file tells of it, and what is asked for comes
// in pieces, an empty one last.
func (c counted) SendMsg(m any) error {
	err := c.FileSync_DiffCopyServer.SendMsg(m)
	packet, ok := m.(*fstypes.Packet)
	if !ok || err != nil {
		return err
	}
	switch {
	case packet.Type == fstypes.PACKET_STAT && packet.Stat != nil:
		c.to.metadata.Add(int64(packet.SizeVT()))
	case packet.Type == fstypes.PACKET_DATA && len(packet.Data) == 0:
		c.to.files.Add(1)
	case packet.Type == fstypes.PACKET_DATA:
		c.to.contents.Add(int64(len(packet.Data)))
	}
	return nil
}

// isDockerfilePlace tells the places of Dockerfiles from contexts, which have other names.
func isDockerfilePlace(name string) bool { return strings.HasPrefix(name, dockerfileLocal) }

// TarStream is another way to send a folder, which no BuildKit asks for.
func (c *counter) TarStream(filesync.FileSync_TarStreamServer) error {
	return c.refused.Refuse(guard.Files, "a folder as a tar archive")
}
