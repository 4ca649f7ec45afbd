from .images import ImageSignal as ImageSignal
from .images import image_to_blocks as image_to_blocks
from .images import read_image as read_image
from .images import write_image as write_image
