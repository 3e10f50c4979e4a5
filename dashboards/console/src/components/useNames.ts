// Names for ids, where the API gives ids only. An id that has no name is shown shortened.
import { useQuery } from "@tanstack/react-query";
import { flavorsQuery, hostsQuery, imagesQuery, tenantsQuery } from "../api/queries";
import { useMe } from "../shell/me";

type Named = readonly { id: string; name: string }[] | undefined;

function lookup(named: Named) {
  const names = new Map(named?.map(({ id, name }) => [id, name]));
  return (id: string | null | undefined) => (id ? (names.get(id) ?? id.slice(0, 8)) : "");
}

export const useFlavorName = () => lookup(useQuery(flavorsQuery).data);
export const useImageName = () => lookup(useQuery(imagesQuery).data);
/** For operators; a member's things are its own. */
export const useTenantName = () =>
  lookup(useQuery({ ...tenantsQuery, enabled: useMe().isOperator }).data);
export const useHostName = () =>
  lookup(useQuery({ ...hostsQuery, enabled: useMe().isOperator }).data);
