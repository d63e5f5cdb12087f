//go:build cgo && (linux || darwin) && (amd64 || arm64)

package linear

/*
#include <stdlib.h>

// What is used of the solver's C interface. The library comes with the imported package,
// which binds only a part of it: no basis, no starting solution, no bounds by range.
void* Highs_create(void);
void Highs_destroy(void* highs);
int Highs_getSizeofHighsInt(const void* highs);
int Highs_setBoolOptionValue(void* highs, const char* option, const int value);
int Highs_setIntOptionValue(void* highs, const char* option, const int value);
int Highs_setDoubleOptionValue(void* highs, const char* option, const double value);
int Highs_setStringOptionValue(void* highs, const char* option, const char* value);
int Highs_passModel(void* highs, const int num_col, const int num_row, const int num_nz, const int q_num_nz,
	const int a_format, const int q_format, const int sense, const double offset,
	const double* col_cost, const double* col_lower, const double* col_upper,
	const double* row_lower, const double* row_upper,
	const int* a_start, const int* a_index, const double* a_value,
	const int* q_start, const int* q_index, const double* q_value, const int* integrality);
int Highs_run(void* highs);
int Highs_getModelStatus(const void* highs);
int Highs_getSolution(const void* highs, double* col_value, double* col_dual, double* row_value, double* row_dual);
int Highs_getBasis(const void* highs, int* col_status, int* row_status);
int Highs_setBasis(void* highs, const int* col_status, const int* row_status);
int Highs_setSolution(void* highs, const double* col_value, const double* row_value, const double* col_dual, const double* row_dual);
int Highs_getIntInfoValue(const void* highs, const char* info, int* value);
int Highs_getInt64InfoValue(const void* highs, const char* info, long long* value);
int Highs_getDoubleInfoValue(const void* highs, const char* info, double* value);
int Highs_changeColsBoundsByRange(void* highs, const int from_col, const int to_col, const double* lower, const double* upper);
int Highs_changeRowsBoundsByRange(void* highs, const int from_row, const int to_row, const double* lower, const double* upper);
int Highs_changeColsIntegralityByRange(void* highs, const int from_col, const int to_col, const int* integrality);
const void* Highs_getCallbackDataOutItem(const void* data_out, const char* item_name);
int Highs_setCallback(void* highs, void (*callback)(int, const char*, const void*, void*, void*), void* data);
int Highs_startCallback(void* highs, const int type);
int Highs_stopCallback(void* highs, const int type);

// bounded ends a search once it has used as many simplex iterations as data allows: the
// solver's own bounds count nodes, and most of the work is done before the first.
static void bounded(int type, const char* message, const void* out, void* in, void* data) {
	const long long* used = (const long long*)Highs_getCallbackDataOutItem(out, "mip_total_lp_iterations");
	if (used != NULL && in != NULL && *used > *(const long long*)data)
		*(int*)in = 1; // its first field: interrupt
}

static int searchBounded(void* highs, long long iterations) {
	const int interrupt = 6;
	long long most = iterations;
	if (Highs_setCallback(highs, bounded, &most) == -1 || Highs_startCallback(highs, interrupt) == -1)
		return -1;
	int status = Highs_run(highs);
	Highs_stopCallback(highs, interrupt);
	return status;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	// The library itself.
	_ "github.com/bartolsthoorn/gohighs/highs"
)

// The solver's words that are used.
const (
	highsError    = -1
	highsOptimal  = 7
	highsFeasible = 2
	highsRowwise  = 2
	highsMinimize = 1
)

// highs is the solver with one model. It belongs to one goroutine.
type highs struct {
	ptr        unsafe.Pointer
	cols, rows int
	integer    []C.int
}

var errSolver = errors.New("the solver refused")

// New makes a solver that works alone, silently, and alike each time.
func New() (Engine, error) {
	h := &highs{ptr: C.Highs_create()}
	if h.ptr == nil {
		return nil, fmt.Errorf("make a solver: %w", errSolver)
	}
	if C.Highs_getSizeofHighsInt(h.ptr) != C.sizeof_int {
		h.Close()
		return nil, fmt.Errorf("make a solver: its integers are not %d bytes", C.sizeof_int)
	}
	err := errors.Join(
		h.setBool("output_flag", false),
		h.setString("parallel", "off"),
		h.setInt("threads", 1),
		h.setInt("random_seed", 20),
	)
	if err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

func (h *highs) Close() {
	if h.ptr != nil {
		C.Highs_destroy(h.ptr)
		h.ptr = nil
	}
}

func said(what string, status C.int) error {
	if status == highsError {
		return fmt.Errorf("%s: %w", what, errSolver)
	}
	return nil
}

func (h *highs) setBool(name string, v bool) error {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	n := C.int(0)
	if v {
		n = 1
	}
	return said("set "+name, C.Highs_setBoolOptionValue(h.ptr, c, n))
}

func (h *highs) setInt(name string, v int) error {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	return said("set "+name, C.Highs_setIntOptionValue(h.ptr, c, C.int(v)))
}

func (h *highs) setFloat(name string, v float64) error {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	return said("set "+name, C.Highs_setDoubleOptionValue(h.ptr, c, C.double(v)))
}

func (h *highs) setString(name, v string) error {
	c, d := C.CString(name), C.CString(v)
	defer C.free(unsafe.Pointer(c))
	defer C.free(unsafe.Pointer(d))
	return said("set "+name, C.Highs_setStringOptionValue(h.ptr, c, d))
}

func doubles(s []float64) *C.double { return (*C.double)(unsafe.SliceData(s)) }
func ints(s []int32) *C.int         { return (*C.int)(unsafe.SliceData(s)) }

// Load passes the program, its integers relaxed.
func (h *highs) Load(p *Program) error {
	h.cols, h.rows = len(p.Cost), len(p.RowLower)
	h.integer = h.integer[:0]
	for _, whole := range p.Whole {
		k := C.int(0)
		if whole {
			k = 1
		}
		h.integer = append(h.integer, k)
	}
	return said("pass the program", C.Highs_passModel(h.ptr,
		C.int(h.cols), C.int(h.rows), C.int(len(p.Value)), 0, highsRowwise, 1, highsMinimize, 0,
		doubles(p.Cost), doubles(p.Lower), doubles(p.Upper), doubles(p.RowLower), doubles(p.RowUpper),
		ints(p.Begin), ints(p.Index), doubles(p.Value), nil, nil, nil, nil))
}

// Bounds replaces all columns' and rows' bounds; the basis stays.
func (h *highs) Bounds(lower, upper, rowLower, rowUpper []float64) error {
	if h.cols == 0 || h.rows == 0 {
		return nil
	}
	return errors.Join(
		said("set bounds", C.Highs_changeColsBoundsByRange(h.ptr, 0, C.int(h.cols-1), doubles(lower), doubles(upper))),
		said("set bounds", C.Highs_changeRowsBoundsByRange(h.ptr, 0, C.int(h.rows-1), doubles(rowLower), doubles(rowUpper))),
	)
}

// Relaxed solves the program without its integers, from the basis given, if any.
func (h *highs) Relaxed(from *Basis, iterations int) (Answer, error) {
	if err := h.setInt("simplex_iteration_limit", iterations); err != nil {
		return Answer{}, err
	}
	if from != nil && len(from.cols) == h.cols && len(from.rows) == h.rows {
		// A basis that does not fit is no error: the solver begins anew.
		C.Highs_setBasis(h.ptr, ints(from.cols), ints(from.rows))
	}
	if err := said("solve the relaxed program", C.Highs_run(h.ptr)); err != nil {
		return Answer{}, err
	}
	if s := C.Highs_getModelStatus(h.ptr); s != highsOptimal {
		return Answer{}, fmt.Errorf("solve the relaxed program: it ended with the solver's status %d", int(s))
	}
	return h.answer(true)
}

// Wholly solves the program with its integers, from a solution to begin with, if any, until
// it is within gap of the bound, in the program's units.
func (h *highs) Wholly(start []float64, gap float64, nodes, iterations int) (Answer, error) {
	err := errors.Join(
		h.setFloat("mip_rel_gap", 0), h.setFloat("mip_abs_gap", gap),
		h.setInt("mip_max_nodes", nodes), h.setInt("mip_max_leaves", nodes), h.setInt("simplex_iteration_limit", math.MaxInt32),
		said("set integers", C.Highs_changeColsIntegralityByRange(h.ptr, 0, C.int(h.cols-1), unsafe.SliceData(h.integer))),
	)
	if err != nil {
		return Answer{}, err
	}
	if start != nil {
		C.Highs_setSolution(h.ptr, doubles(start), nil, nil, nil)
	}
	if err := said("solve the program", C.searchBounded(h.ptr, C.longlong(iterations))); err != nil {
		return Answer{}, err
	}
	if h.info("primal_solution_status") != highsFeasible {
		return Answer{}, fmt.Errorf("solve the program: no solution, the solver's status is %d", int(C.Highs_getModelStatus(h.ptr)))
	}
	a, err := h.answer(false)
	a.Bound = h.infoFloat("mip_dual_bound")
	return a, err
}

func (h *highs) answer(relaxed bool) (Answer, error) {
	a := Answer{
		X: make([]float64, h.cols), Dual: make([]float64, h.rows),
		Objective: h.infoFloat("objective_function_value"),
	}
	colDual, row := make([]float64, h.cols), make([]float64, h.rows)
	if err := said("read the solution", C.Highs_getSolution(h.ptr, doubles(a.X), doubles(colDual), doubles(row), doubles(a.Dual))); err != nil {
		return Answer{}, err
	}
	a.Bound = a.Objective
	if relaxed {
		a.Iterations = h.info("simplex_iteration_count")
		a.Basis = &Basis{cols: make([]int32, h.cols), rows: make([]int32, h.rows)}
		if C.Highs_getBasis(h.ptr, ints(a.Basis.cols), ints(a.Basis.rows)) == highsError {
			a.Basis = nil
		}
	} else {
		a.Nodes = h.info64("mip_node_count")
	}
	return a, nil
}

func (h *highs) info(name string) int {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	var v C.int
	C.Highs_getIntInfoValue(h.ptr, c, &v)
	return int(v)
}

func (h *highs) info64(name string) int {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	var v C.longlong
	C.Highs_getInt64InfoValue(h.ptr, c, &v)
	return int(v)
}

func (h *highs) infoFloat(name string) float64 {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	var v C.double
	C.Highs_getDoubleInfoValue(h.ptr, c, &v)
	return float64(v)
}
