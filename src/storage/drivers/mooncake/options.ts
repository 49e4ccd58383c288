import { type Static, Type } from 'typebox';
import { failure } from '../../../shared/errors.ts';

export const MooncakeOptions = Type.Object(
  {
    url: Type.Refine(
      Type.String({
        description: "Where Mooncake Store's REST service listens, such as http://10.0.0.5:8080.",
      }),
      isServiceUrl,
      () => 'must be an http or https URL without a query',
    ),
    concurrency: Type.Integer({
      minimum: 1,
      maximum: 256,
      default: 16,
      description: 'Requests at a time, each on a connection of its own: the service takes one page in each.',
    }),
  },
  { additionalProperties: false },
);
export type MooncakeOptions = Static<typeof MooncakeOptions>;

/** What SGLang's configuration of Mooncake holds besides: the service holds it here. */
const OF_THE_SERVICE = [
  'local_hostname',
  'metadata_server',
  'global_segment_size',
  'local_buffer_size',
  'protocol',
  'device_name',
  'master_server_address',
  'master_metrics_port',
  'client_server_address',
  'check_server',
  'standalone_storage',
  'enable_ssd_offload',
  'ssd_offload_path',
  'tenant_id',
];

/** Throws `storage_config` for a setting that would do nothing here, and says where it belongs. */
export function refuseSettingsOfService(config: unknown): void {
  const path = OF_THE_SERVICE.find((name) => Object.hasOwn(Object(config), name));
  if (path === undefined) return;
  const expected =
    "is a setting of Mooncake's REST service, and belongs in the configuration that the service is started with; 'url' says where the service is";
  throw failure('storage_config', { backend: 'mooncake', path, expected });
}

function isServiceUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '';
}
