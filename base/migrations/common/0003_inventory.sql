-- Machines that run guests. What the agent reports stands in the observed columns.
CREATE TABLE hosts (
    id                 TEXT PRIMARY KEY,
    name               TEXT NOT NULL,
    state              TEXT NOT NULL CHECK (state IN ('enabled', 'disabled')),
    -- Overcommit in per cent: 400 is CPU 4:1.
    cpu_ratio_pct      BIGINT NOT NULL,
    memory_ratio_pct   BIGINT NOT NULL,
    -- Of what the host is to run; raised in each transaction that changes it.
    generation         BIGINT NOT NULL,
    observed_generation BIGINT NOT NULL,
    -- The agent that reports, and the last report that counted.
    agent_boot_id      TEXT,
    agent_sequence     BIGINT NOT NULL,
    last_report_ms     BIGINT,
    hypervisor_ok      BIGINT NOT NULL,
    -- Why it is not ok, and what to do.
    reason             TEXT,
    remedy             TEXT,
    cpus               BIGINT NOT NULL,
    memory_mib         BIGINT NOT NULL,
    disk_gib           BIGINT NOT NULL,
    -- 'kvm' or 'qemu' (TCG).
    domain_type        TEXT,
    libvirt_version    TEXT,
    hypervisor_version TEXT,
    agent_version      TEXT,
    -- Taken by instances that are placed here; never above the ratio's allowance.
    vcpus_placed       BIGINT NOT NULL CHECK (vcpus_placed >= 0),
    memory_mib_placed  BIGINT NOT NULL CHECK (memory_mib_placed >= 0),
    created_ms         BIGINT NOT NULL,
    deleted_ms         BIGINT
);

-- Physical machines behind a BMC.
CREATE TABLE servers (
    id               TEXT PRIMARY KEY,
    name             TEXT NOT NULL,
    bmc_address      TEXT NOT NULL,
    bmc_user         TEXT NOT NULL,
    -- Sealed with the key file.
    bmc_password     TEXT NOT NULL,
    -- 'on', 'off'; NULL leaves the power as it is.
    wanted_power     TEXT CHECK (wanted_power IN ('on', 'off')),
    generation       BIGINT NOT NULL,
    observed_generation BIGINT NOT NULL,
    observed_power   TEXT NOT NULL CHECK (observed_power IN ('on', 'off', 'unknown')),
    observed_ms      BIGINT,
    reason           TEXT,
    remedy           TEXT,
    -- JSON: manufacturer, product, firmware, IPMI version, cipher suite.
    device           TEXT,
    -- JSON: the last reading of each sensor.
    sensors          TEXT,
    sensors_ms       BIGINT,
    created_ms       BIGINT NOT NULL,
    deleted_ms       BIGINT
);

CREATE TABLE flavors (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    vcpus      BIGINT NOT NULL CHECK (vcpus > 0),
    memory_mib BIGINT NOT NULL CHECK (memory_mib > 0),
    disk_gib   BIGINT NOT NULL CHECK (disk_gib > 0),
    created_ms BIGINT NOT NULL,
    deleted_ms BIGINT
);

-- A bootable disk, or a disk plus kernel and ramdisk, as in Glance. Files are named by SHA-256.
CREATE TABLE images (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    -- NULL: public.
    tenant_id      TEXT REFERENCES tenants (id),
    state          TEXT NOT NULL CHECK (state IN ('queued', 'active', 'deleted')),
    disk_format    TEXT NOT NULL CHECK (disk_format IN ('qcow2', 'raw')),
    wants_kernel   BIGINT NOT NULL,
    kernel_cmdline TEXT NOT NULL,
    disk_sha256    TEXT,
    disk_bytes     BIGINT,
    kernel_sha256  TEXT,
    kernel_bytes   BIGINT,
    ramdisk_sha256 TEXT,
    ramdisk_bytes  BIGINT,
    created_ms     BIGINT NOT NULL,
    deleted_ms     BIGINT
);

-- Who may have how much: instances, vcpus, memory_mib, disk_gib.
CREATE TABLE quotas (
    tenant_id  TEXT NOT NULL REFERENCES tenants (id),
    resource   TEXT NOT NULL,
    hard_limit BIGINT NOT NULL CHECK (hard_limit >= 0),
    used       BIGINT NOT NULL CHECK (used >= 0),
    PRIMARY KEY (tenant_id, resource)
);

CREATE TABLE instances (
    id           TEXT PRIMARY KEY,
    tenant_id    TEXT NOT NULL REFERENCES tenants (id),
    name         TEXT NOT NULL,
    flavor_id    TEXT NOT NULL REFERENCES flavors (id),
    -- The flavor's figures when it was created, since a flavor may be retired.
    vcpus        BIGINT NOT NULL,
    memory_mib   BIGINT NOT NULL,
    disk_gib     BIGINT NOT NULL,
    image_id     TEXT NOT NULL REFERENCES images (id),
    host_id      TEXT NOT NULL REFERENCES hosts (id),
    mac          TEXT NOT NULL UNIQUE,
    ssh_key      TEXT,
    user_data    TEXT,

    -- Wanted: by its tenant, by the tenant's standing, by an operator's lock.
    wanted       TEXT NOT NULL CHECK (wanted IN ('running', 'stopped', 'absent')),
    hold         TEXT NOT NULL CHECK (hold IN ('none', 'paused', 'stopped')),
    locked       BIGINT NOT NULL,
    generation   BIGINT NOT NULL,

    -- Observed, as the host's agent reported it.
    observed     TEXT NOT NULL CHECK (observed IN
        ('pending', 'building', 'running', 'paused', 'stopped', 'absent', 'failed', 'unknown')),
    observed_generation BIGINT NOT NULL,
    observed_ms  BIGINT,
    -- When it changed into that state, by the host's clock.
    event_ms     BIGINT,
    step         TEXT,
    progress_pct BIGINT,
    error_code   TEXT,
    error        TEXT,
    addresses    TEXT NOT NULL,
    -- Whether quota and place are still taken.
    holds_quota  BIGINT NOT NULL,
    created_ms   BIGINT NOT NULL,
    deleted_ms   BIGINT
);
CREATE INDEX instances_by_tenant ON instances (tenant_id, created_ms);
CREATE INDEX instances_by_host ON instances (host_id);

CREATE TABLE instance_consoles (
    instance_id TEXT PRIMARY KEY REFERENCES instances (id),
    -- The last of what its serial port printed.
    tail        TEXT NOT NULL,
    at_ms       BIGINT NOT NULL
);
