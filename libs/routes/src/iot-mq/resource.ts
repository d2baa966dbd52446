/** What the resources of Azure IoT MQ have in common. */
import { z } from 'zod'
import { fields, oneOf, text } from '../fields.ts'

/** The version of the resources that is read. */
export const apiVersion = 'mq.iotoperations.azure.com/v1beta1'

const metadata = z.looseObject({ name: text() })

/** A resource of this kind with this spec. What Kubernetes adds to it (labels, status) says nothing here. */
export const resource = <Kind extends z.ZodType, Spec extends z.ZodType>({ kind, spec }: { kind: Kind; spec: Spec }) =>
  fields({ apiVersion: oneOf(apiVersion), kind, metadata, spec, status: z.unknown().optional() })
