/** Nobody watches. */
export const watch = async () => async () => {}
