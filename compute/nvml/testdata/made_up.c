// A made-up libnvidia-ml for the test: two GPUs, the second of which is lost once its limit
// was set to 250 W; the first tells one XID error.
#include <string.h>
typedef int ret; typedef void *dev;
enum { OK = 0, INVALID = 2, NOSUPPORT = 3, NOPERM = 4, TIMEOUT = 10, LOST = 15 };
static unsigned limit[2] = {400000, 400000};
static int lost, told;
static int one(dev d) { return d == (dev)2; }
static ret at(dev d) { return one(d) && lost ? LOST : OK; }
ret nvmlInit_v2(void) { return OK; }
ret nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(ret r) { return r == LOST ? "GPU is lost" : r == NOPERM ? "Insufficient Permissions" : "an error"; }
ret nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return OK; }
ret nvmlDeviceGetHandleByIndex_v2(unsigned i, dev *d) { *d = (dev)(long)(i + 1); return OK; }
ret nvmlDeviceGetHandleByUUID(const char *u, dev *d) {
  if (!strcmp(u, "GPU-0")) *d = (dev)1; else if (!strcmp(u, "GPU-1")) *d = (dev)2; else return INVALID;
  return OK;
}
ret nvmlDeviceGetUUID(dev d, char *s, unsigned n) { strncpy(s, one(d) ? "GPU-1" : "GPU-0", n); return OK; }
ret nvmlDeviceGetName(dev d, char *s, unsigned n) { strncpy(s, "NVIDIA Made Up", n); return OK; }
ret nvmlDeviceGetPowerUsage(dev d, unsigned *v) { *v = 312450; return at(d); }
ret nvmlDeviceGetPowerManagementLimit(dev d, unsigned *v) { *v = limit[one(d)]; return at(d); }
ret nvmlDeviceGetPowerManagementDefaultLimit(dev d, unsigned *v) { *v = 400000; return at(d); }
ret nvmlDeviceGetPowerManagementLimitConstraints(dev d, unsigned *a, unsigned *b) { *a = 100000; *b = 400000; return at(d); }
ret nvmlDeviceGetTotalEnergyConsumption(dev d, unsigned long long *v) { *v = 36000000ull; return one(d) ? NOSUPPORT : OK; }
ret nvmlDeviceGetUtilizationRates(dev d, unsigned *v) { v[0] = 98; v[1] = 40; return at(d); }
ret nvmlDeviceGetTemperature(dev d, int sensor, unsigned *v) { *v = 61; return at(d); }
ret nvmlDeviceSetPowerManagementLimit(dev d, unsigned v) {
  if (v < 100000) return INVALID;
  if (v == 123000) return NOPERM;
  limit[one(d)] = v;
  if (one(d) && v == 250000) lost = 1;
  return OK;
}
struct event { dev d; unsigned long long type, data; unsigned gi, ci; };
ret nvmlEventSetCreate(void **s) { *s = (void *)1; return OK; }
ret nvmlEventSetFree(void *s) { return OK; }
ret nvmlDeviceRegisterEvents(dev d, unsigned long long t, void *s) { return t == 8 ? OK : INVALID; }
ret nvmlEventSetWait_v2(void *s, struct event *e, unsigned ms) {
  if (told) return TIMEOUT;
  told = 1; memset(e, 0, sizeof *e); e->d = (dev)1; e->type = 8; e->data = 48;
  return OK;
}
