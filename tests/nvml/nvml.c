/* libnvidia-ml.so.1 for tests: answers as a described host would.
 *
 * The description is flat text, one "key value" a line, in the file that NVML_TEST_HOST
 * names, else /etc/nvml-test-host; keys of a GPU begin with "gpuN.". The value "!15" is the
 * error 15, "hang" never returns, and what is not described is not supported. compiled.py
 * writes it from JSON.
 * Structures are those of nvml.h, so that pynvml reads them through its own ctypes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  SUCCESS = 0,
  UNINITIALIZED = 1,
  INVALID_ARGUMENT = 2,
  NOT_SUPPORTED = 3,
  INSUFFICIENT_SIZE = 7,
  UNKNOWN = 999
};

#define VALUE_LENGTH 512

static char *description;

static int load(void) {
  const char *named = getenv("NVML_TEST_HOST");
  const char *path = named ? named : "/etc/nvml-test-host";
  FILE *file = fopen(path, "r");
  size_t room = 1 << 20;
  if (description) return 1;
  if (!file) return 0;
  description = calloc(1, room);
  if (description && fread(description, 1, room - 1, file) == 0) description[0] = 0;
  fclose(file);
  return description != NULL;
}

/* Copies the value of a key; returns the error that is described, or NOT_SUPPORTED. */
static int value_of(const char *key, char *value) {
  size_t length = strlen(key);
  const char *line = description;
  if (!line) return UNINITIALIZED;
  while (line && *line) {
    if (strncmp(line, key, length) == 0 && line[length] == ' ') {
      const char *begin = line + length + 1;
      size_t size = strcspn(begin, "\n");
      if (size >= VALUE_LENGTH) size = VALUE_LENGTH - 1;
      memcpy(value, begin, size);
      value[size] = 0;
      if (value[0] == '!') return atoi(value + 1);
      while (strcmp(value, "hang") == 0) pause();
      return SUCCESS;
    }
    line = strchr(line, '\n');
    if (line) line++;
  }
  return NOT_SUPPORTED;
}

static int gpu_value(void *device, const char *field, char *value) {
  char key[64];
  snprintf(key, sizeof key, "gpu%d.%s", (int)((size_t)device - 1), field);
  return value_of(key, value);
}

static int gpu_text(void *device, const char *field, char *text, unsigned size) {
  char value[VALUE_LENGTH];
  int code = gpu_value(device, field, value);
  if (code == SUCCESS) snprintf(text, size, "%s", value);
  return code;
}

static int gpu_number(void *device, const char *field, unsigned *number) {
  char value[VALUE_LENGTH];
  int code = gpu_value(device, field, value);
  if (code == SUCCESS) *number = (unsigned)strtoul(value, NULL, 10);
  return code;
}

static int gpu_numbers(void *device, const char *field, unsigned *numbers, int count) {
  char value[VALUE_LENGTH], *rest = value;
  int code = gpu_value(device, field, value);
  for (int n = 0; code == SUCCESS && n < count; n++) numbers[n] = (unsigned)strtoul(rest, &rest, 10);
  return code;
}

/* Reads the description anew: what a host says can change while it is watched. */
static void reload(void) {
  free(description);
  description = NULL;
  load();
}

/* the host ------------------------------------------------------------------ */

int nvmlInitWithFlags(unsigned flags) {
  char value[VALUE_LENGTH];
  (void)flags;
  if (!load()) return UNKNOWN;
  int code = value_of("init", value);
  return code == NOT_SUPPORTED ? SUCCESS : code;
}

int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

int nvmlShutdown(void) { return SUCCESS; }

const char *nvmlErrorString(int code) {
  switch (code) {
    case 1: return "Uninitialized";
    case 2: return "Invalid Argument";
    case 3: return "Not Supported";
    case 4: return "Insufficient Permissions";
    case 8: return "Insufficient External Power";
    case 9: return "Driver Not Loaded";
    case 12: return "NVML Shared Library Not Found";
    case 15: return "GPU is lost";
    case 16: return "GPU requires reset";
    case 18: return "Driver/library version mismatch";
    default: return "Unknown Error";
  }
}

int nvmlSystemGetDriverVersion(char *version, unsigned length) {
  char value[VALUE_LENGTH];
  int code = value_of("driver", value);
  if (code == SUCCESS) snprintf(version, length, "%s", value);
  return code;
}

int nvmlSystemGetCudaDriverVersion_v2(int *version) {
  char value[VALUE_LENGTH];
  int code = value_of("cuda", value);
  if (code == SUCCESS) *version = atoi(value);
  return code;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
  char value[VALUE_LENGTH];
  int code = value_of("count", value);
  if (code == SUCCESS) *count = (unsigned)strtoul(value, NULL, 10);
  return code;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
  char value[VALUE_LENGTH];
  void *handle = (void *)((size_t)index + 1);
  int code = gpu_value(handle, "handle", value);
  if (code != SUCCESS && code != NOT_SUPPORTED) return code;
  *device = handle;
  return SUCCESS;
}

/* one GPU ------------------------------------------------------------------- */

int nvmlDeviceGetName(void *device, char *name, unsigned length) {
  return gpu_text(device, "name", name, length);
}

int nvmlDeviceGetUUID(void *device, char *uuid, unsigned length) {
  return gpu_text(device, "uuid", uuid, length);
}

int nvmlDeviceGetMinorNumber(void *device, unsigned *minor) {
  return gpu_number(device, "minor", minor);
}

int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) {
  unsigned numbers[2] = {0, 0};
  int code = gpu_numbers(device, "capability", numbers, 2);
  *major = (int)numbers[0];
  *minor = (int)numbers[1];
  return code;
}

struct pci_info {
  char bus_id_legacy[16];
  unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
  char bus_id[32];
};

int nvmlDeviceGetPciInfo_v3(void *device, struct pci_info *info) {
  memset(info, 0, sizeof *info);
  return gpu_text(device, "pci", info->bus_id, sizeof info->bus_id);
}

struct memory {
  unsigned long long total, free, used;
};

int nvmlDeviceGetMemoryInfo(void *device, struct memory *memory) {
  char value[VALUE_LENGTH], *rest = value;
  int code = gpu_value(device, "memory", value);
  if (code != SUCCESS) return code;
  memory->total = strtoull(rest, &rest, 10);
  memory->free = strtoull(rest, &rest, 10);
  memory->used = memory->total - memory->free;
  return SUCCESS;
}

int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending) {
  unsigned modes[2] = {0, 0};
  int code = gpu_numbers(device, "mig", modes, 2);
  *current = modes[0];
  *pending = modes[1];
  return code;
}

struct process {
  unsigned pid;
  unsigned long long memory;
  unsigned gpu_instance, compute_instance;
};

/* "pid memory pid memory …"; memory "-" is what the driver does not say. */
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, struct process *found) {
  char value[VALUE_LENGTH], *word;
  unsigned room = *count, number = 0;
  int code = gpu_value(device, "processes", value);
  *count = 0;
  if (code != SUCCESS) return code;
  for (word = strtok(value, " "); word; word = strtok(NULL, " "), number++) {
    char *memory = strtok(NULL, " ");
    if (!memory) return UNKNOWN;
    if (number >= room) continue;
    found[number].pid = (unsigned)strtoul(word, NULL, 10);
    found[number].memory = memory[0] == '-' ? ~0ULL : strtoull(memory, NULL, 10);
    found[number].gpu_instance = found[number].compute_instance = ~0U;
  }
  *count = number;
  return number > room ? INSUFFICIENT_SIZE : SUCCESS;
}

int nvmlDeviceGetEccMode(void *device, unsigned *current, unsigned *pending) {
  int code = gpu_number(device, "ecc", current);
  *pending = *current;
  return code;
}

int nvmlDeviceGetTotalEccErrors(void *device, unsigned type, unsigned since, unsigned long long *n) {
  unsigned number = 0;
  if (type != 1) return INVALID_ARGUMENT;
  int code = gpu_number(device, since ? "ecc_errors_ever" : "ecc_errors", &number);
  *n = number;
  return code;
}

int nvmlDeviceGetRemappedRows(void *device, unsigned *corrected, unsigned *uncorrected,
                              unsigned *pending, unsigned *failed) {
  unsigned rows[4] = {0, 0, 0, 0};
  int code = gpu_numbers(device, "remapped_rows", rows, 4);
  *corrected = rows[0];
  *uncorrected = rows[1];
  *pending = rows[2];
  *failed = rows[3];
  return code;
}

int nvmlDeviceGetRetiredPagesPendingStatus(void *device, unsigned *pending) {
  return gpu_number(device, "pages_pending", pending);
}

int nvmlDeviceGetPersistenceMode(void *device, unsigned *mode) {
  return gpu_number(device, "persistence", mode);
}

int nvmlDeviceGetComputeMode(void *device, unsigned *mode) {
  return gpu_number(device, "compute_mode", mode);
}

int nvmlDeviceGetCurrentClocksEventReasons(void *device, unsigned long long *reasons) {
  unsigned number = 0;
  int code = gpu_number(device, "clocks", &number);
  *reasons = number;
  return code;
}

struct field_value {
  unsigned field, scope;
  long long timestamp, latency;
  unsigned type, code;
  union {
    double real;
    unsigned number;
    unsigned long long large;
  } value;
};

/* 230 is NVML_FI_DEV_GET_GPU_RECOVERY_ACTION; each value carries an error of its own. */
int nvmlDeviceGetFieldValues(void *device, int count, struct field_value *values) {
  for (int n = 0; n < count; n++) {
    unsigned number = 0;
    int code = values[n].field == 230 ? gpu_number(device, "recovery", &number) : NOT_SUPPORTED;
    values[n].code = (unsigned)code;
    values[n].type = 1;
    values[n].value.large = 0;
    values[n].value.number = number;
  }
  return SUCCESS;
}

struct fabric_info {
  unsigned version;
  unsigned char cluster[16];
  unsigned status, clique, state, health;
};

int nvmlDeviceGetGpuFabricInfoV(void *device, struct fabric_info *info) {
  unsigned numbers[2] = {0, 0};
  if (info->version != (sizeof *info | 2U << 24)) return INVALID_ARGUMENT;
  int code = gpu_numbers(device, "fabric", numbers, 2);
  info->state = numbers[0];
  info->status = numbers[1];
  return code;
}

/* events -------------------------------------------------------------------- */

/* The file of the description with ".events" behind it: "gpu type data" a line, each of
 * which is told once, in order. Types are those of nvml.h: 8 an Xid, 2 an ECC error. */
struct event {
  void *device;
  unsigned long long type, data;
  unsigned gpu_instance, compute_instance;
};

int nvmlEventSetCreate(void **set) {
  *set = calloc(1, sizeof(long));
  return *set ? SUCCESS : UNKNOWN;
}

int nvmlEventSetFree(void *set) {
  free(set);
  return SUCCESS;
}

int nvmlDeviceGetSupportedEventTypes(void *device, unsigned long long *types) {
  char value[VALUE_LENGTH];
  int code = gpu_value(device, "events", value);
  *types = 8 | 2;
  return code == NOT_SUPPORTED ? SUCCESS : code;
}

int nvmlDeviceRegisterEvents(void *device, unsigned long long types, void *set) {
  (void)device;
  (void)set;
  return types ? SUCCESS : INVALID_ARGUMENT;
}

static int next_event(long *told, struct event *event) {
  const char *named = getenv("NVML_TEST_HOST");
  char path[4096];
  unsigned gpu;
  int found;
  FILE *file;
  snprintf(path, sizeof path, "%s.events", named ? named : "/etc/nvml-test-host");
  file = fopen(path, "r");
  if (!file) return 0;
  fseek(file, *told, SEEK_SET);
  found = fscanf(file, "%u %llu %llu ", &gpu, &event->type, &event->data) == 3;
  if (found) {
    *told = ftell(file);
    event->device = (void *)((size_t)gpu + 1);
  }
  fclose(file);
  return found;
}

int nvmlEventSetWait_v2(void *set, struct event *event, unsigned timeout_ms) {
  const unsigned step_ms = 20;
  char value[VALUE_LENGTH];
  for (unsigned waited = 0; waited < timeout_ms; waited += step_ms) {
    int code;
    reload();
    code = value_of("wait", value);
    if (code != SUCCESS && code != NOT_SUPPORTED) return code;
    if (next_event(set, event)) return SUCCESS;
    if (code == SUCCESS && strcmp(value, "soon") == 0 && waited >= 200) break;
    usleep(step_ms * 1000);
  }
  return 10; /* NVML_ERROR_TIMEOUT */
}

struct utilization {
  unsigned gpu, memory;
};

int nvmlDeviceGetUtilizationRates(void *device, struct utilization *rates) {
  unsigned numbers[2] = {0, 0};
  int code = gpu_numbers(device, "utilization", numbers, 2);
  rates->gpu = numbers[0];
  rates->memory = numbers[1];
  return code;
}
