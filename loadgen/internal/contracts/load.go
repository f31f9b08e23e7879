package contracts

// A Load is what the parameters of a load say. A client's share of a load has the same shape: there rates may be fractional,
// and every number may be 0.
type Load struct {
	Workload     string   `json:"workload"`
	Connections  int      `json:"connections"`
	Active       int      `json:"active"`
	Rate         float64  `json:"rate"`
	Requests     *int64   `json:"requests"` // nil: it ends with Duration
	Arrival      string   `json:"arrival"`
	Pipeline     int      `json:"pipeline"`
	ThinkTime    float64  `json:"think_time"`
	Steps        int      `json:"steps"`
	Hostile      *Hostile `json:"hostile"`
	PayloadBytes int      `json:"payload_bytes"`
	ConnectRate  *float64 `json:"connect_rate"` // nil: a burst
	Warmup       int      `json:"warmup"`
	Duration     int      `json:"duration"`
	Timeout      float64  `json:"timeout"`
	ArmTimeout   float64  `json:"arm_timeout"`
	Generator    string   `json:"generator"`
	Seed         uint64   `json:"seed"`
}

// Hostile clients beside a load.
type Hostile struct {
	Kind        string `json:"kind"`
	Connections int    `json:"connections"`
}

// Traits are those of the load's workload.
func (l *Load) Traits() Workload { return declared.Workloads[l.Workload] }
