package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A backup that takes the place of the running file is what the next start
// serves, as the answer promises.
func TestRestoreUnderTheProcess(t *testing.T) {
	eachEnd(t, func(t *testing.T, services int, end syscall.Signal) {
		s, backup := newRestoreStory(t, services)
		s.do(os.Rename(backup, s.path))
		s.expectUnavailable("the database file was replaced by another: restart to use it")
		s.end(end)
		s.acknowledged = nil // as the backup has it
		s.expectStart(inBackup)
	})
}

// The same without a request in between: the service looks by itself, at the
// latest when it stops.
func TestRestoreUnderAnIdleProcess(t *testing.T) {
	for _, end := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(end.String(), func(t *testing.T) {
			s, backup := newRestoreStory(t, 1)
			s.do(os.Rename(backup, s.path))
			deadline := time.Now().Add(20 * time.Second)
			for exists(s.path+"-wal") && end == syscall.SIGKILL && time.Now().Before(deadline) {
				time.Sleep(10 * time.Millisecond) // leave the machine to the service
			}
			s.end(end)
			s.acknowledged = nil
			s.expectStart(inBackup)
		})
	}
}

// The file that was replaced is complete by itself, so changing one's mind
// loses nothing.
func TestReplacedFilePutBack(t *testing.T) {
	eachEnd(t, func(t *testing.T, services int, end syscall.Signal) {
		s, backup := newRestoreStory(t, services)
		s.do(os.Rename(s.path, s.path+".old"))
		s.do(os.Rename(backup, s.path))
		s.expectUnavailable("the database file was replaced by another")
		s.end(end)
		s.do(os.Rename(s.path+".old", s.path))
		s.expectStart(inBackup)
	})
}

// A backup copied over the running file is served by the next start, if it is
// smaller than the file.
func TestRestoreIntoTheRunningFile(t *testing.T) {
	eachEnd(t, func(t *testing.T, services int, end syscall.Signal) {
		s, backup := newRestoreStory(t, services)
		s.copyFile(backup, s.path)
		s.expectUnavailable("the database file was cut short or overwritten")
		s.end(end)
		s.acknowledged = nil
		s.expectStart(inBackup)
	})
}

// A restart does not turn a missing file into an empty store, and the file is
// complete when it comes back.
func TestMissingFile(t *testing.T) {
	eachEnd(t, func(t *testing.T, services int, end syscall.Signal) {
		s, _ := newRestoreStory(t, services)
		s.do(os.Rename(s.path, s.path+".away"))
		s.expectUnavailable("the database file is gone: put it back before a restart")
		s.end(end)
		s.expectRefusal("the database file is missing or empty")
		s.do(os.Rename(s.path+".away", s.path))
		s.expectStart(inBackup)
	})
}

// A backup may take the place of a missing file once the service has ended.
func TestRestoreOfMissingFile(t *testing.T) {
	eachEnd(t, func(t *testing.T, services int, end syscall.Signal) {
		s, backup := newRestoreStory(t, services)
		s.do(os.Remove(s.path))
		s.expectUnavailable("the database file is gone")
		s.end(end)
		s.do(os.Rename(backup, s.path))
		s.acknowledged = nil
		s.expectStart(inBackup)
	})
}

// A deleted file can be copied out of the process, with everything in it.
func TestDeletedFileIsCopiedBack(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux shows the open files of a process in /proc")
	}
	eachEnd(t, func(t *testing.T, services int, end syscall.Signal) {
		s, _ := newRestoreStory(t, services)
		s.do(os.Remove(s.path))
		s.expectUnavailable("the database file is gone")
		open, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", s.services[0].PID()))
		s.do(err)
		for _, descriptor := range open {
			if target, _ := os.Readlink(descriptor); target == s.path+" (deleted)" {
				s.copyFile(descriptor, s.path)
				break
			}
		}
		s.expectUnavailable("the database file was replaced by another")
		s.end(end)
		s.expectStart(inBackup)
	})
}

// A write-ahead log that is removed or replaced costs no acknowledged event,
// and one service recovers by itself.
func TestLostLog(t *testing.T) {
	for name, lose := range map[string]func(s *fileStory){
		"removed":                func(s *fileStory) { s.do(os.Remove(s.path + "-wal")) },
		"renamed":                func(s *fileStory) { s.do(os.Rename(s.path+"-wal", s.path+"-wal.away")) },
		"removed with its index": func(s *fileStory) { s.do(os.Remove(s.path + "-wal")); s.do(os.Remove(s.path + "-shm")) },
		"index removed":          func(s *fileStory) { s.do(os.Remove(s.path + "-shm")) },
		"replaced": func(s *fileStory) {
			s.do(os.Remove(s.path + "-wal"))
			s.do(os.WriteFile(s.path+"-wal", nil, 0o600))
		},
		"visited": func(s *fileStory) {
			s.do(os.Remove(s.path + "-wal"))
			s.do(os.Remove(s.path + "-shm"))
			execute(s.t, s.path, "PRAGMA user_version")
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachEnd(t, func(t *testing.T, services int, end syscall.Signal) {
				s := newFileStory(t, services)
				s.mustRecord(40)
				lose(s)
				if got := s.record(4); got == 0 && services == 1 {
					t.Error("the service did not recover")
				}
				s.end(end)
				s.expectStart(0)
			})
		})
	}
}

// Nor does it cost any while many write and read.
func TestLostLogUnderLoad(t *testing.T) {
	s := newFileStory(t, 1)
	s.mustRecord(1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	var clients sync.WaitGroup
	for client := range 8 {
		clients.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("client%d-%d", client, n)
				// The kill leaves some without an answer.
				response, _, err := s.services[0].Do(ctx, http.MethodPost, "/deployments", startDeployment(id))
				if err == nil && response.StatusCode == http.StatusCreated {
					mu.Lock()
					s.acknowledged = append(s.acknowledged, id)
					mu.Unlock()
				}
			}
		})
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(s.acknowledged)
	}
	const lost, between = 8, 50
	for range lost {
		if err := os.Remove(s.path + "-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		// Whatever is acknowledged from now on proves that the log was saved.
		deadline := time.Now().Add(30 * time.Second)
		for before := count(); count() < before+between; {
			s.services[0].Metrics() // which reads the store
			if time.Now().After(deadline) {
				t.Fatal("the service does not recover")
			}
		}
	}
	s.end(syscall.SIGKILL)
	cancel()
	clients.Wait()
	t.Logf("%d deployments were acknowledged, and %d are stored", len(s.acknowledged), s.startAndCount())
}

// After a write-ahead log was cut short nothing is acknowledged, and the next
// start has a sound file.
func TestLogCutShort(t *testing.T) {
	for _, kept := range []float64{0, 0.5, 0.99} {
		t.Run(fmt.Sprint(kept), func(t *testing.T) {
			eachEnd(t, func(t *testing.T, services int, end syscall.Signal) {
				s := newFileStory(t, services)
				s.mustRecord(40)
				log, err := os.Stat(s.path + "-wal")
				s.do(err)
				s.do(os.Truncate(s.path+"-wal", int64(float64(log.Size())*kept)))
				s.expectUnavailable("the write-ahead log was cut short")
				s.end(end)
				s.services[0].Start()
				for _, id := range s.acknowledged { // what the cut destroyed is sent again
					s.services[0].Post("/deployments", startDeployment(id))
				}
				_ = s.services[0].Stop(end)
				s.expectStart(0)
			})
		})
	}
}

// Nor does the rest of a log that was cut short get into a backup.
func TestRestoreAfterLogCutShort(t *testing.T) {
	for name, replace := range map[string]func(s *fileStory, backup string){
		"replaced": func(s *fileStory, backup string) { s.do(os.Rename(backup, s.path)) },
		"removed":  func(s *fileStory, _ string) { s.do(os.Remove(s.path)) },
	} {
		t.Run(name, func(t *testing.T) {
			eachEnd(t, func(t *testing.T, services int, end syscall.Signal) {
				s, backup := newRestoreStory(t, services)
				log, err := os.Stat(s.path + "-wal")
				s.do(err)
				s.do(os.Truncate(s.path+"-wal", log.Size()/2))
				s.expectUnavailable("the write-ahead log was cut short")
				replace(s, backup)
				s.expectUnavailable("the database file ")
				s.end(end)
				if name == "removed" {
					s.do(os.Rename(backup, s.path))
				}
				s.acknowledged = nil
				s.expectStart(inBackup)
			})
		})
	}
}

// A database that is cut short is refused, by the running service and by the
// next start.
func TestFileCutShort(t *testing.T) {
	const damaged = "the database file is damaged"
	for kept, refusal := range map[int64]string{
		0: "the database file is missing or empty", 21 * 4096: damaged, 20*4096 + 99: damaged,
	} {
		t.Run(fmt.Sprint(kept), func(t *testing.T) {
			eachEnd(t, func(t *testing.T, services int, end syscall.Signal) {
				s, _ := newRestoreStory(t, services)
				s.do(os.Truncate(s.path, kept))
				s.expectUnavailable("the database file was cut short or overwritten: restore a backup, then restart")
				s.end(end)
				s.expectRefusal(refusal)
			})
		})
	}
}
