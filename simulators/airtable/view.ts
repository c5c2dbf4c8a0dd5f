import type { Evaluate } from './formula.ts'

export type ViewType = 'grid' | 'form' | 'calendar' | 'gallery' | 'kanban' | 'timeline' | 'block'

export interface Sort {
  /** Name or id. */
  readonly field: string
  readonly direction?: 'asc' | 'desc'
}

export interface ViewSpec {
  readonly id?: string
  readonly name: string
  readonly type?: ViewType
  /** A formula; records that it does not keep are not in the view. */
  readonly filter?: string
  readonly sort?: readonly Sort[]
  /** Names or ids of the fields to be seen; the others are returned all the same. */
  readonly visible?: readonly string[]
}

export interface View {
  readonly id: string
  name: string
  readonly type: ViewType
  readonly filter: Evaluate | undefined
  /** By field id. */
  readonly sort: readonly Sort[]
  readonly visible: readonly string[] | undefined
}
