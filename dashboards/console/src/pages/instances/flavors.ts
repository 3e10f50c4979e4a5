// Flavors as text, and as what a form offers.
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { flavorsQuery } from "../../api/queries";
import type { Flavor } from "../../api/types";
import { formatMib } from "../../format/quantity";

type Sized = Pick<Flavor, "name" | "vcpus" | "memory_mib" | "disk_gib">;

export function useFlavorText() {
  const { t, i18n } = useTranslation();
  return ({ name, vcpus, memory_mib, disk_gib }: Sized) =>
    t("flavor.option", {
      name,
      count: vcpus,
      memory: formatMib(memory_mib, i18n.language),
      disk: disk_gib,
    });
}

export function useFlavorOptions(possible: (flavor: Flavor) => boolean = () => true) {
  const flavorText = useFlavorText();
  const { data, error } = useQuery(flavorsQuery);
  const options = data
    ?.filter(possible)
    .map((flavor) => ({ value: flavor.id, label: flavorText(flavor) }));
  return { error, options: options ?? [] };
}
