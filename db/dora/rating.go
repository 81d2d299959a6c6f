package dora

import "time"

// Application is one project in one environment: DORA asks about one application
// or service, and a level belongs to one. The sum of 20 projects that each deploy
// twice a week would be elite. Labels that the query filters by may be empty.
type Application struct {
	Labels
	Totals
}

// shortest is the least length of a window with levels: a week, in which clocks
// may go forward.
const shortest = week - 2*time.Hour

// Rating is how good a figure is.
type Rating struct {
	// Level is that of the one application, empty if there are several.
	Level Level
	// Levels count several applications at each level, from the best to the
	// worst. Those without a level come last, at an empty one. There are none if
	// the figure has no bands or the window is shorter than a week.
	Levels []LevelCount
}

// LevelCount is the number of applications at a level.
type LevelCount struct {
	Level
	Applications int64
}

// Rate rates a figure of a group.
func (b Bands) Rate(f Figure, g Group) Rating {
	if len(g.Applications) < 2 {
		return Rating{Level: b.RateTotals(f, g, g.Totals)}
	}
	k := b.key(f.Name)
	if k.level == nil || g.Length < shortest {
		return Rating{}
	}
	levels := make([]LevelCount, len(k.scale)+1)
	for i, level := range k.scale {
		levels[i].Level = level
	}
	for _, application := range g.Applications {
		i := k.level(f.Value(application.Totals))
		if i < 0 {
			i = len(k.scale)
		}
		levels[i].Applications++
	}
	return Rating{Levels: levels}
}

// RateTotals returns the level of a figure in a bucket of a group. There is none if
// the group has several applications or the bucket is shorter than a week.
func (b Bands) RateTotals(f Figure, g Group, t Totals) Level {
	if len(g.Applications) != 1 || t.Length < shortest {
		return ""
	}
	return b.Level(f.Name, f.Value(t))
}
