// Expressions to begin with, over what OpsHawk collects.
import type en from "../../i18n/en.json";

interface Example {
  key: keyof typeof en.query.example;
  expr: string;
  /** Of hosts and servers, which no member sees. */
  operators?: boolean;
}

export const EXAMPLES: readonly Example[] = [
  {
    key: "guestCpu",
    expr: "rate(libvirt_domain_info_cpu_time_seconds_total[1m])",
  },
  {
    key: "guestMemory",
    expr: "libvirt_domain_info_memory_usage_bytes",
  },
  {
    key: "guestTraffic",
    expr: "rate(libvirt_domain_interface_stats_receive_bytes_total[1m])",
  },
  {
    key: "hostCpu",
    expr: '1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[1m]))',
    operators: true,
  },
  {
    key: "temperatures",
    expr: "ipmi_temperature_celsius",
    operators: true,
  },
];
