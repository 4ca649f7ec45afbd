from .arrays import write_archive as write_archive
from .arrays import write_array as write_array
from .image_signal import ImageSignal as ImageSignal
from .image_signal import image_to_blocks as image_to_blocks
from .images import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from .images import WRITABLE_IMAGE_SUFFIXES as WRITABLE_IMAGE_SUFFIXES
from .images import read_image as read_image
from .images import write_image as write_image
