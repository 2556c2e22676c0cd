/* Memory of a target in pieces of one page, so that an implementation translates one address a call. */
#include "gdbstub/target.h"

static size_t piece_count(uint64_t address, size_t count)
{
	const size_t in_page = TARGET_PAGE_BYTES - (size_t)(address % TARGET_PAGE_BYTES);

	return count < in_page ? count : in_page;
}

size_t target_read(const struct target_ops *ops, void *context, uint32_t thread, struct target_address address,
		   void *bytes, size_t count)
{
	size_t done = 0;

	while (done < count) {
		const struct target_address at = {address.space, address.v + done};
		const size_t piece = piece_count(at.v, count - done);

		if (!ops->memory_read(context, thread, at, (uint8_t *)bytes + done, piece))
			break;
		done += piece;
	}
	return done;
}

size_t target_write(const struct target_ops *ops, void *context, uint32_t thread, struct target_address address,
		    const void *bytes, size_t count)
{
	size_t done = 0;

	while (done < count) {
		const struct target_address at = {address.space, address.v + done};
		const size_t piece = piece_count(at.v, count - done);

		if (!ops->memory_write(context, thread, at, (const uint8_t *)bytes + done, piece))
			break;
		done += piece;
	}
	return done;
}
