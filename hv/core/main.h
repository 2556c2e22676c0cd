/* Where start.S goes. */
#pragma once

_Noreturn void hv_main(void);
